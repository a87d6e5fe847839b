//! Objects of a cluster, read page by page as the JSON that they are: fields newer than this program survive.

use std::time::Duration;

use kube::Client;
use kube::api::{GetParams, ListParams};
use kube::core::Request;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::read_error::{Attempt, ReadError};
use super::resource::Resource;

/// Objects on a page, as kubectl asks for them.
const PAGE: u32 = 500;

/// For how long an answer is waited for. API servers end a request after 60 s themselves.
const PATIENCE: Duration = Duration::from_secs(90);

/// What kubectl keeps in an annotation: the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Which objects of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The namespace; all where there is none.
    pub namespace: Option<String>,
    /// A label selector, as kubectl takes it with `-l`.
    pub selector: Option<String>,
}

/// Reads objects.
#[derive(Clone)]
pub struct Reader {
    client: Client,
}

/// A list that is being read. One page is in memory at a time.
pub struct Pages {
    client: Client,
    resource: Resource,
    attempt: Attempt,
    path: String,
    params: ListParams,
    is_done: bool,
    is_unknown: bool,
}

impl Reader {
    /// Reads from that cluster.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The objects of a kind, by namespace and name. Nothing is asked before the first
    /// [page](Pages::next). The scope's namespace does not matter to kinds that are in none.
    pub fn list(&self, resource: &Resource, scope: &Scope) -> Pages {
        let mut params = ListParams::default().limit(PAGE);
        params.label_selector = scope.selector.clone();
        let namespace = scope.namespace.as_deref();
        Pages {
            client: self.client.clone(),
            resource: resource.clone(),
            attempt: Attempt::list(resource, namespace),
            path: resource.path(namespace),
            params,
            is_done: false,
            is_unknown: false,
        }
    }

    /// One object; none where there is none of that name, or no such kind.
    ///
    /// # Errors
    /// When the API server does not let us, or does not answer.
    pub async fn get(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, ReadError> {
        let attempt = Attempt::get(resource, namespace, name);
        let path = resource.path(namespace);
        let request = Request::new(path).get(name, &GetParams::default());
        match ask(&self.client, &attempt, request).await {
            Ok(text) => {
                let lean: Lean = attempt.parse(&text)?;
                Ok(Some(lean.of(resource)))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Pages {
    /// The next page; none behind the last, and none of a kind that this cluster does not have.
    ///
    /// A list that takes longer than the API server remembers (about 5 minutes) goes on with what is there
    /// now, behind the last object that came: nothing comes twice.
    ///
    /// # Errors
    /// When the API server does not let us, or does not answer. Nothing comes after an error.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, ReadError> {
        if self.is_done {
            return Ok(None);
        }
        self.is_done = true;
        let text = match self.ask().await {
            Err(error) if error.is_not_found() => {
                self.is_unknown = true;
                return Ok(None);
            }
            Err(error) => match error.next_page() {
                Some(token) if self.params.continue_token.is_some() => {
                    self.params.continue_token = Some(token);
                    self.ask().await?
                }
                _ => return Err(error),
            },
            Ok(text) => text,
        };
        let page: Page = self.attempt.parse(&text)?;
        self.params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        self.is_done = self.params.continue_token.is_none();
        let items = page.items.unwrap_or_default().into_iter();
        Ok(Some(items.map(|item| item.of(&self.resource)).collect()))
    }

    /// All that is left, for kinds of which there are few or whose objects are all needed at once.
    ///
    /// # Errors
    /// As [`Pages::next`].
    pub async fn all(mut self) -> Result<Vec<Value>, ReadError> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await? {
            all.extend(page);
        }
        Ok(all)
    }

    /// Whether this cluster does not have the kind; known behind the first page.
    pub fn is_unknown_kind(&self) -> bool {
        self.is_unknown
    }

    async fn ask(&self) -> Result<String, ReadError> {
        let request = Request::new(&self.path).list(&self.params);
        ask(&self.client, &self.attempt, request).await
    }
}

pub(super) async fn ask(
    client: &Client,
    attempt: &Attempt,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<String, ReadError> {
    let request = request.map_err(|error| attempt.failed(kube::Error::BuildRequest(error)))?;
    match tokio::time::timeout(PATIENCE, client.request_text(request)).await {
        Ok(answer) => answer.map_err(|error| attempt.failed(error)),
        Err(_) => Err(attempt.too_late(PATIENCE)),
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    items: Option<Vec<Lean>>,
}

#[derive(Deserialize, Default)]
struct PageMetadata {
    #[serde(rename = "continue")]
    continue_: Option<String>,
}

/// An object without what nobody here reads and what is more than half of many: never even taken in.
#[derive(Deserialize)]
struct Lean {
    #[serde(default)]
    metadata: LeanMetadata,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize, Default)]
struct LeanMetadata {
    #[serde(default, rename = "managedFields")]
    _managed_fields: IgnoredAny,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Lean {
    /// The object as it would be written: in a list the items do not say what they are.
    fn of(self, resource: &Resource) -> Value {
        let Self { metadata, rest } = self;
        let mut metadata = metadata.rest;
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.shift_remove(LAST_APPLIED);
        }
        let mut object = Map::new();
        object.insert("apiVersion".into(), resource.api_version().into());
        object.insert("kind".into(), resource.kind.as_ref().into());
        object.insert("metadata".into(), metadata.into());
        object.extend(rest);
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::resource::PODS;

    #[test]
    fn what_nobody_reads_goes_and_what_nobody_knows_stays() {
        let text = json!({"metadata": {"continue": "more"}, "items": [{
            "metadata": {
                "name": "web",
                "managedFields": [{"fieldsV1": {"f:spec": {}}}],
                "annotations": {LAST_APPLIED: "{…}", "mine": "yes"},
            },
            "spec": {"newer": 18446744073709551615_u64},
        }]});
        let page: Page = serde_json::from_str(&text.to_string()).expect("a page");
        assert_eq!(page.metadata.continue_.as_deref(), Some("more"));
        let items: Vec<Value> = page
            .items
            .into_iter()
            .flatten()
            .map(|item| item.of(&PODS))
            .collect();
        assert_eq!(
            items,
            [json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "web", "annotations": {"mine": "yes"}},
                "spec": {"newer": 18446744073709551615_u64},
            })]
        );
    }
}
