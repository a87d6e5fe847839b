//! What the API server does for us without keeping anything: a pod tried by dry run, a Service asked.

use std::time::Duration;

use http::{Request, Response, header};
use kube::client::Body;
use kube::core::Status;
use serde_json::Value;

use super::objects::Reader;
use super::read_error::{Attempt, Cause, ReadError};
use super::resource::{PODS, Resource};

/// For how long a pod may take to be tried: API servers end a request after 34 s of admission.
const TRIAL: Duration = Duration::from_secs(40);

/// For how long a Service may take to answer.
const ANSWER: Duration = Duration::from_secs(15);

/// Reaching a Service through the API server, as permissions name it.
const SERVICE_PROXY: Resource = Resource::namespaced("", "v1", "Service", "services/proxy");

/// A pod that would have been made.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The pod, as it would be stored.
    pub pod: Value,
    /// What whoever made it would be told.
    pub warnings: Vec<String>,
}

impl Reader {
    /// Has a pod made by server-side dry run: everything is asked that is asked for a real one, and nothing
    /// is kept.
    ///
    /// # Errors
    /// [`Cause::Forbidden`] where we may make no pods, [`Cause::Refused`] where this one is turned away.
    pub async fn try_pod(&self, namespace: &str, pod: &Value) -> Result<Tried, ReadError> {
        let attempt = Attempt::of("create", &PODS, Some(namespace), None);
        let path = format!("/api/v1/namespaces/{namespace}/pods?dryRun=All");
        let request = post(&path, pod);
        let (warnings, text) = self.send(&attempt, request, TRIAL).await?;
        let pod = attempt.parse(&text)?;
        Ok(Tried { pod, warnings })
    }

    /// Asks a Service through the API server, which comes the way that it comes to a webhook, but believes
    /// every certificate. `port` is `https:NAME:PORT`, or `NAME:PORT` for plain HTTP; a body is posted.
    ///
    /// # Errors
    /// [`Cause::Forbidden`] where we may not, [`Cause::Refused`] where nobody answers there, and how.
    pub async fn ask_service(
        &self,
        namespace: &str,
        port: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<String, ReadError> {
        let verb = if body.is_some() { "create" } else { "get" };
        let attempt = Attempt::of(verb, &SERVICE_PROXY, Some(namespace), Some(port));
        let path = format!("/api/v1/namespaces/{namespace}/services/{port}/proxy{path}");
        let request = match body {
            Some(body) => post(&path, body),
            None => Request::get(&path).body(Body::empty()),
        };
        let (_, text) = self.send(&attempt, request, ANSWER).await?;
        Ok(text)
    }

    /// What the API server counts, as text for Prometheus; none where we may not look.
    pub async fn metrics_of_server(&self) -> Option<String> {
        let request = Request::get("/metrics").body(Vec::new()).ok()?;
        let answer = tokio::time::timeout(ANSWER, self.client().request_text(request)).await;
        answer.ok()?.ok()
    }

    /// The answer's warnings and its text.
    async fn send(
        &self,
        attempt: &Attempt,
        request: Result<Request<Body>, http::Error>,
        patience: Duration,
    ) -> Result<(Vec<String>, String), ReadError> {
        let request = request.map_err(|error| {
            attempt.failed(kube::Error::BuildRequest(
                kube::core::request::Error::BuildRequest(error),
            ))
        })?;
        let answer = async {
            let response = self.client().send(request).await?;
            let (status, warnings) = (response.status(), warnings(&response));
            let bytes = response.into_body().collect_bytes().await?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if status.is_success() {
                return Ok((warnings, text));
            }
            // What is behind a proxy may say anything.
            let said = serde_json::from_str::<Status>(&text).ok();
            let said = said.filter(|said| !said.message.is_empty());
            let said = said.unwrap_or_else(|| Status::failure(text.trim(), ""));
            Err(kube::Error::Api(Box::new(said.with_code(status.as_u16()))))
        };
        match tokio::time::timeout(patience, answer).await {
            Ok(Err(kube::Error::Api(status))) if is_turned_away(&status) => Err(ReadError {
                attempt: Box::new(attempt.clone()),
                cause: Cause::Refused(status),
            }),
            Ok(answer) => answer.map_err(|error| attempt.failed(error)),
            Err(_) => Err(attempt.too_late(patience)),
        }
    }
}

fn post(path: &str, body: &Value) -> Result<Request<Body>, http::Error> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    request.body(Body::from(body.to_string().into_bytes()))
}

/// Whether a quota, a policy or Pod Security said no. They say forbidden too, but speak of no user, as a lack
/// of permission does.
fn is_turned_away(status: &Status) -> bool {
    status.code == 403 && !status.message.contains("User \"")
}

/// The texts of the Warning headers: `299 - "text"` (RFC 7234, section 5.5).
fn warnings(response: &Response<Body>) -> Vec<String> {
    let headers = response.headers().get_all(header::WARNING).iter();
    headers
        .map(|text| {
            let text = String::from_utf8_lossy(text.as_bytes()).into_owned();
            let quoted = text.splitn(3, ' ').nth(2).unwrap_or(&text);
            serde_json::from_str(quoted).unwrap_or_else(|_| quoted.to_owned())
        })
        .collect()
}
