//! How the certificates of a cluster are doing, for people: read from the Secret and the configurations.

use std::time::SystemTime;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DynamicObject;
use serde::Serialize;

use super::authority::Names;
use super::bundle::Configuration;
use super::contents::{Contents, Leaf, certificates};
use super::store::Store;

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// What is served; none where the Secret has nothing that can be read.
    pub certificate: Option<Certificate>,
    /// What is served next, while a renewal is under way.
    pub next: Option<Certificate>,
    /// The CAs of the bundle, newest first.
    pub trusted: Vec<Certificate>,
    /// The webhooks that are ours, and whether they trust what is served.
    pub webhooks: Vec<Webhook>,
    /// What is wrong, each with what to do.
    pub problems: Vec<String>,
}

/// One certificate.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    /// Its subject.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The names that it is for.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The SHA-256 of its DER form, in hexadecimal.
    pub fingerprint: String,
}

/// One webhook.
#[derive(Debug, Clone, Serialize)]
pub struct Webhook {
    /// `MutatingWebhookConfiguration/podgrace`.
    pub configuration: String,
    /// Its name.
    pub name: String,
    /// Whether a client with its bundle takes what is served.
    pub trusts: bool,
}

impl Inspection {
    /// Looks at a Secret and at configurations that were read; each that is not there is told.
    pub fn of(
        store: &Store,
        secret: Option<&Secret>,
        configurations: &[(Configuration, Option<DynamicObject>)],
        names: &Names,
        now: SystemTime,
    ) -> Self {
        let mut problems = Vec::new();
        let name = store.name();
        let contents = match (secret, Store::contents(secret)) {
            (None, _) => {
                problems.push(format!(
                    "there is no Secret {name}: podgrace serve makes one, where it may"
                ));
                None
            }
            (Some(_), Err(why)) => {
                problems.push(format!(
                    "Secret {name}: {why}; podgrace serve fills it when it runs"
                ));
                None
            }
            (Some(_), Ok(contents)) => Some(contents),
        };
        if let Some(contents) = &contents
            && let Err(why) = Leaf::check(&contents.leaf, &contents.bundle, names, now)
        {
            problems.push(format!(
                "Secret {name}: clients do not take its certificate: {why}; a podgrace serve that runs makes another"
            ));
        }
        let mut webhooks = Vec::new();
        for (configuration, object) in configurations {
            let title = configuration.title();
            let Some(object) = object else {
                problems.push(format!(
                    "there is no {title}: no API server calls the webhook by it"
                ));
                continue;
            };
            let found = configuration.bundles(object);
            if found.is_empty() {
                problems.push(format!("{title}: none of its webhooks calls our Service"));
            }
            for (_, webhook, bundle) in found {
                let trusts = contents.as_ref().is_some_and(|contents| {
                    let bundle = bundle.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                    let bundle = certificates(&bundle.unwrap_or_default());
                    Leaf::check(&contents.leaf, &bundle, names, now).is_ok()
                });
                if !trusts {
                    problems.push(format!(
                        "{title}: {webhook} does not trust what is served: its caBundle is another; a podgrace serve \
                         that runs with --webhook-configuration mends it"
                    ));
                }
                webhooks.push(Webhook {
                    configuration: title.clone(),
                    name: webhook.to_owned(),
                    trusts,
                });
            }
        }
        let read = |pem: &String| Certificate::read(pem);
        Self {
            certificate: contents.as_ref().and_then(|c| read(&c.leaf.certificate)),
            next: (contents.as_ref())
                .and_then(|c| c.next.as_ref())
                .and_then(|next| read(&next.certificate)),
            trusted: (contents.iter())
                .flat_map(|c: &Contents| c.bundle.iter().filter_map(read))
                .collect(),
            webhooks,
            problems,
        }
    }
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    pub fn read(pem: &String) -> Option<Self> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
        let parsed = pem.parse_x509().ok()?;
        let alternatives = parsed.subject_alternative_name().ok().flatten();
        let alternatives = alternatives.map(|found| &found.value.general_names);
        let time =
            |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        let digest = ring::digest::digest(&ring::digest::SHA256, &pem.contents);
        Some(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            names: alternatives.into_iter().flatten().map(name).collect(),
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
            fingerprint: digest.as_ref().iter().map(|b| format!("{b:02x}")).collect(),
        })
    }
}

fn name(name: &x509_parser::extensions::GeneralName<'_>) -> String {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(four) => std::net::Ipv4Addr::from(four).to_string(),
            Err(_) => <[u8; 16]>::try_from(*bytes).map_or_else(
                |_| name.to_string(),
                |all| std::net::Ipv6Addr::from(all).to_string(),
            ),
        },
        other => other.to_string(),
    }
}
