//! Where `serve` has its certificate from: files, or a Secret that it keeps itself.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::certs::{Authority, Keeper, Pair, Schedule, Settings};
use crate::cli::certs::CertificateObjects;
use crate::cluster::Contact;
use crate::server::{CertificateSource, Check, Engine, Health, Identity};

#[derive(Debug, clap::Args)]
pub(super) struct CertificateArguments {
    /// The serving certificate, in PEM: the leaf, then its intermediates. Without it the certificate is made,
    /// kept in a Secret and renewed.
    #[arg(
        long,
        env = "PODGRACE_TLS_CERT_FILE",
        value_name = "FILE",
        requires = "tls_key_file"
    )]
    tls_cert_file: Option<PathBuf>,
    /// The leaf's private key, in PEM.
    #[arg(
        long,
        env = "PODGRACE_TLS_KEY_FILE",
        value_name = "FILE",
        requires = "tls_cert_file"
    )]
    tls_key_file: Option<PathBuf>,
    #[command(flatten)]
    objects: CertificateObjects,
    /// How long a certificate that is made is valid. It is renewed after two thirds of it.
    #[arg(long, env = "PODGRACE_CERTIFICATE_LIFETIME", value_name = "DURATION", default_value = "2160h", value_parser = super::duration)]
    certificate_lifetime: Duration,
}

impl CertificateArguments {
    /// Files to serve from, where they are named.
    pub(super) fn files(&self) -> Option<CertificateSource> {
        Some(CertificateSource::Files {
            certificate: self.tls_cert_file.clone()?,
            key: self.tls_key_file.clone()?,
        })
    }

    /// A certificate that is kept in the cluster. Until there is one the server answers with one that nobody
    /// trusts, and is not ready: so it can say why.
    pub(super) fn kept(
        &self,
        client: kube::Client,
        contact: Arc<Contact>,
        engine: &mut Engine,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<CertificateSource> {
        let made = Authority::new("nobody.invalid")?;
        let (certificate, key) = (made.leaf.certificate.as_bytes(), made.leaf.key.as_bytes());
        let identity = Arc::new(Identity::from_pem(certificate, key)?);
        let shown = Arc::clone(&identity);
        let serve = move |pair: &Pair| {
            shown
                .replace(pair.certificate.as_bytes(), pair.key.as_bytes())
                .map_err(|error| error.to_string())
        };
        let keeper = Keeper::new(self.settings(client), contact, serve);
        let (told, counted) = (keeper.status(), keeper.status());
        engine.checks.push(Check::new("certificates", move || {
            match (told.missing(), told.trouble()) {
                (Some(why), _) => Health::Failed(why),
                (None, Some(trouble)) => Health::Degraded(trouble),
                (None, None) => Health::Ok,
            }
        }));
        engine
            .metrics
            .push(Box::new(move |registry| counted.register(registry)));
        tasks.spawn(keeper.keep());
        Ok(CertificateSource::Held(identity))
    }

    fn settings(&self, client: kube::Client) -> Settings {
        let objects = &self.objects;
        Settings {
            names: objects.names(&client),
            store: objects.store(&client),
            configurations: objects.configurations(&client),
            schedule: Schedule::of(self.certificate_lifetime, chance()),
        }
    }
}

/// A number between 0 and 1, another in each process: std's hashes begin with one.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    random as f64 / u64::MAX as f64
}
