//! The `caBundle` of our webhook configurations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{BoxStream, StreamExt as _};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The one that patches pods.
    Mutating,
    /// The one that only warns.
    Validating,
}

impl Kind {
    /// Its kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mutating => "MutatingWebhookConfiguration",
            Self::Validating => "ValidatingWebhookConfiguration",
        }
    }
}

/// A configuration that is kept up to date.
#[derive(Clone)]
pub struct Configuration {
    /// Which kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    api: Api<DynamicObject>,
    /// Our Service and its namespace: other Services' webhooks are not ours to change.
    service: (String, String),
}

impl Configuration {
    /// The configuration of that name; in it, the webhooks that call this Service of this namespace, or an URL.
    pub fn new(client: Client, kind: Kind, name: &str, service: &str, namespace: &str) -> Self {
        let resource = match kind {
            Kind::Mutating => ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            Kind::Validating => ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        };
        Self {
            kind,
            name: name.to_owned(),
            api: Api::all_with(client, &resource),
            service: (service.to_owned(), namespace.to_owned()),
        }
    }

    /// `MutatingWebhookConfiguration/podgrace`.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind.word(), self.name)
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the API server does not let us, or does not answer.
    pub async fn get(&self) -> Result<Option<DynamicObject>, kube::Error> {
        self.api.get_opt(&self.name).await
    }

    /// What becomes of it, from now on; `None` while it does not exist.
    pub(super) fn watch(&self) -> BoxStream<'static, watcher::Result<Option<DynamicObject>>> {
        watcher::watch_object(self.api.clone(), &self.name)
            .default_backoff()
            .boxed()
    }

    /// The places in `webhooks` of those that are ours, and the bundle of each.
    pub fn bundles<'o>(
        &'o self,
        object: &'o DynamicObject,
    ) -> Vec<(usize, &'o str, Option<Vec<u8>>)> {
        let webhooks = object.data["webhooks"].as_array();
        let all = webhooks.into_iter().flatten().enumerate();
        all.filter(|(_, webhook)| self.is_ours(&webhook["clientConfig"]))
            .map(|(at, webhook)| {
                let bundle = webhook["clientConfig"]["caBundle"].as_str();
                let bundle = bundle.and_then(|text| STANDARD.decode(text).ok());
                (at, webhook["name"].as_str().unwrap_or_default(), bundle)
            })
            .collect()
    }

    fn is_ours(&self, client: &Value) -> bool {
        let service = &client["service"];
        let is = |key: &str, name: &str| service[key].as_str() == Some(name);
        client["url"].is_string() || is("name", &self.service.0) && is("namespace", &self.service.1)
    }

    /// What makes every webhook of ours carry the bundle; empty where they do. Nothing else is touched, and a
    /// list that was reordered meanwhile is left to the next look.
    pub(super) fn patch(&self, object: &DynamicObject, bundle: &str) -> Vec<Value> {
        let stale = self
            .bundles(object)
            .into_iter()
            .filter(|(_, _, carried)| carried.as_deref() != Some(bundle.as_bytes()));
        stale
            .flat_map(|(at, name, _)| {
                [
                    json!({"op": "test", "path": format!("/webhooks/{at}/name"), "value": name}),
                    json!({
                        "op": "add",
                        "path": format!("/webhooks/{at}/clientConfig/caBundle"),
                        "value": STANDARD.encode(bundle),
                    }),
                ]
            })
            .collect()
    }

    /// Applies a patch.
    ///
    /// # Errors
    /// When the API server does not let us, does not answer, or the object has changed.
    pub(super) async fn apply(&self, patch: Vec<Value>) -> Result<DynamicObject, kube::Error> {
        let patch: json_patch::Patch =
            serde_json::from_value(patch.into()).map_err(kube::Error::SerdeError)?;
        let params = PatchParams::default();
        let patch = Patch::Json::<()>(patch);
        self.api.patch(&self.name, &params, &patch).await
    }
}
