//! The reader of a cluster's objects, where a real API server cannot be brought to answer so: lists that it
//! forgets, kinds that it does not have, nobody there. What it does answer is held in `tests/e2e`.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use kube::{Client, Config};
use podgrace::cluster::{PODS, Reader, Scope};
use serde_json::{Value, json};

/// What is answered to each value of `continue`, by status and body, and what was asked.
#[derive(Clone, Default)]
struct Answers {
    by_token: Arc<HashMap<&'static str, (u16, Value)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn answer(
    State(answers): State<Answers>,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
) -> impl IntoResponse {
    answers.asked.lock().unwrap().push(uri.to_string());
    let token = query.get("continue").map_or("", String::as_str);
    let (status, body) = &answers.by_token[token];
    let status = StatusCode::from_u16(*status).unwrap();
    (status, body.to_string())
}

/// A client of a server that answers so.
async fn client(answers: &Answers) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(answers.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let uri = format!("http://{address}").parse().unwrap();
    Client::try_from(Config::new(uri)).unwrap()
}

fn answers(all: &[(&'static str, u16, Value)]) -> Answers {
    let by_token = all
        .iter()
        .map(|(token, status, body)| (*token, (*status, body.clone())));
    Answers {
        by_token: Arc::new(by_token.collect()),
        ..Answers::default()
    }
}

fn page(names: &[&str], next: &str) -> Value {
    let items: Vec<Value> = names
        .iter()
        .map(|name| json!({"metadata": {"name": name}}))
        .collect();
    json!({"kind": "PodList", "metadata": {"continue": next}, "items": items})
}

fn status(code: u16, message: &str, next: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {"continue": next}, "status": "Failure",
        "message": message, "code": code})
}

fn names(objects: &[Value]) -> Vec<&str> {
    objects
        .iter()
        .map(|object| object["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_forgotten_list_goes_on_behind_what_came() {
    let answers = answers(&[
        ("", 200, page(&["a", "b"], "old")),
        ("old", 410, status(410, "too old", "inconsistent")),
        ("inconsistent", 200, page(&["c"], "")),
    ]);
    let scope = Scope {
        namespace: Some("web".into()),
        selector: Some("app in (a, b)".into()),
    };
    let reader = Reader::new(client(&answers).await);
    let all = reader.list(&PODS, &scope).all().await.unwrap();
    assert_eq!(names(&all), ["a", "b", "c"]);
    assert_eq!(
        (&all[0]["apiVersion"], &all[0]["kind"]),
        (&json!("v1"), &json!("Pod"))
    );
    let asked = answers.asked.lock().unwrap().clone();
    let first = "/api/v1/namespaces/web/pods?&labelSelector=app+in+%28a%2C+b%29&limit=500";
    assert_eq!(asked[0], first);
    assert!(asked[2].ends_with("&continue=inconsistent"), "{}", asked[2]);
}

#[tokio::test]
async fn a_list_that_cannot_go_on_says_so_and_ends() {
    let answers = answers(&[
        ("", 200, page(&["a"], "old")),
        ("old", 410, status(410, "too old", "")),
    ]);
    let mut pages = Reader::new(client(&answers).await).list(&PODS, &Scope::default());
    assert_eq!(names(&pages.next().await.unwrap().unwrap()), ["a"]);
    let error = pages.next().await.unwrap_err().to_string();
    assert!(error.contains("run it again"), "{error}");
    assert!(pages.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_kind_that_the_cluster_does_not_have_has_no_objects() {
    let answers = answers(&[(
        "",
        404,
        status(404, "the server could not find the requested resource", ""),
    )]);
    let mut pages = Reader::new(client(&answers).await).list(&PODS, &Scope::default());
    assert!(pages.next().await.unwrap().is_none());
    assert!(pages.is_unknown_kind());
}

#[tokio::test]
async fn who_does_not_answer_or_does_not_know_us_is_the_end_of_everything() {
    let answers = answers(&[("", 401, status(401, "Unauthorized", ""))]);
    let reader = Reader::new(client(&answers).await);
    let error = reader
        .list(&PODS, &Scope::default())
        .next()
        .await
        .unwrap_err();
    assert!(
        error.is_everywhere() && error.to_string().contains("log in again"),
        "{error}"
    );

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let reader = Reader::new(Client::try_from(Config::new(uri.parse().unwrap())).unwrap());
    let error = reader.get(&PODS, Some("web"), "shop").await.unwrap_err();
    assert!(error.is_everywhere(), "{error}");
    let told = error.to_string();
    assert!(
        told.starts_with("cannot get pods/shop in namespace web: the API server does not answer"),
        "{told}"
    );
}
