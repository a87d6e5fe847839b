//! The serving certificate: read, checked, served, and replaced while connections go on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;

use super::files::{Contents, FileError, Watch};
use super::metrics::Timestamp;
use super::reload::ReloadStatus;

/// Where the serving certificate comes from.
#[derive(Debug, Clone)]
pub enum CertificateSource {
    /// PEM files, followed when they change.
    Files {
        /// The leaf first, then its intermediates.
        certificate: PathBuf,
        /// The leaf's private key.
        key: PathBuf,
    },
    /// An identity that somebody else keeps up to date through [`Identity::replace`].
    Held(Arc<Identity>),
}

/// Why a certificate and a key are no pair to serve with.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// No certificate in the PEM.
    #[error("no certificate in it: it needs the leaf in PEM, then its intermediates")]
    NoCertificate,
    /// Certificates that are no PEM or no X.509.
    #[error("the certificate cannot be read ({0}): write it anew, as PEM")]
    BadCertificate(String),
    /// No usable private key.
    #[error(
        "the private key cannot be used ({0}): it needs one unencrypted RSA, ECDSA or Ed25519 key in PEM"
    )]
    BadKey(String),
    /// The key belongs to another certificate.
    #[error(
        "the private key does not belong to the first certificate: put the leaf first, or write both anew"
    )]
    Mismatch,
}

/// The certificate chain and key that the server shows, replaceable at any time.
#[derive(Debug)]
pub struct Identity {
    current: ArcSwap<Pair>,
    status: ReloadStatus,
    expiry: Timestamp,
}

#[derive(Debug)]
struct Pair {
    key: Arc<CertifiedKey>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Identity {
    /// Reads a chain, leaf first, and its leaf's key, both PEM.
    ///
    /// # Errors
    /// When either cannot be read or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let pair = Pair::from_pem(chain, key)?;
        let expiry = Timestamp::default();
        pair.announce(&expiry);
        Ok(Self {
            current: ArcSwap::from_pointee(pair),
            status: ReloadStatus::default(),
            expiry,
        })
    }

    /// Shows another chain from the next handshake on. Open connections stay as they are. When the
    /// new pair is of no use, the old one stays, and metrics and readiness detail say why.
    ///
    /// # Errors
    /// When either cannot be read or they do not belong together.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), PairError> {
        self.take(Pair::from_pem(chain, key), "the pair given")
    }

    fn take(&self, pair: Result<Pair, PairError>, from: &str) -> Result<(), PairError> {
        match pair {
            Ok(pair) => {
                pair.announce(&self.expiry);
                self.current.store(Arc::new(pair));
                self.status.succeeded();
                Ok(())
            }
            Err(error) => {
                self.status.failed(format!("{from}: {error}"));
                tracing::error!(%error, from, "the new serving certificate is of no use; the old one stays");
                Err(error)
            }
        }
    }

    /// When the leaf expires.
    pub fn not_after(&self) -> SystemTime {
        self.current.load().not_after
    }

    /// How the last replacement went.
    pub fn status(&self) -> &ReloadStatus {
        &self.status
    }

    pub(super) fn expiry(&self) -> Timestamp {
        self.expiry.clone()
    }

    /// Reads a pair as [`Contents`] of a certificate file and a key file, in this order.
    pub(super) fn from_files(files: &Contents) -> Result<Self, PairError> {
        Self::from_pem(files.get(0)?, files.get(1)?)
    }

    /// Replaces the pair whenever the files change, for ever.
    pub(super) async fn follow(self: Arc<Self>, mut files: Watch) {
        let names = files.names();
        loop {
            let now = files.changed().await;
            let pair = match (now.get(0), now.get(1)) {
                (Ok(chain), Ok(key)) => Pair::from_pem(chain, key),
                (Err(error), _) | (_, Err(error)) => Err(error.into()),
            };
            // Whatever went wrong is told by then.
            let _ = self.take(pair, &names);
        }
    }
}

impl ResolvesServerCert for Identity {
    /// One certificate for every name: clients that do not send the webhook's name, as health
    /// checks by address do, get the same one and judge it themselves.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}

impl Pair {
    fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain = certificates(chain).map_err(PairError::BadCertificate)?;
        let leaf = chain.first().ok_or(PairError::NoCertificate)?;
        let (not_before, not_after) = validity(leaf).map_err(PairError::BadCertificate)?;
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|e| PairError::BadKey(e.to_string()))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => PairError::Mismatch,
            rustls::Error::InvalidCertificate(e) => PairError::BadCertificate(e.to_string()),
            other => PairError::BadKey(other.to_string()),
        })?;
        Ok(Self {
            key: Arc::new(key),
            not_before,
            not_after,
        })
    }

    /// An expired pair is served all the same: it may be the clock that is wrong, and the client
    /// who refuses it says so in a metric.
    fn announce(&self, expiry: &Timestamp) {
        let since_epoch = self.not_after.duration_since(UNIX_EPOCH);
        expiry.set(since_epoch.unwrap_or_default().as_secs() as f64);
        let (now, expires) = (SystemTime::now(), jiff::Timestamp::try_from(self.not_after));
        let expires = expires.map(tracing::field::display).ok();
        if self.not_after <= now {
            tracing::warn!(expires, "serving certificate loaded, but it has expired");
        } else if self.not_before > now {
            tracing::warn!(
                expires,
                "serving certificate loaded, but it is not valid yet"
            );
        } else {
            tracing::info!(expires, "serving certificate loaded");
        }
    }
}

/// Every certificate in a PEM, in its order.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn validity(leaf: &CertificateDer<'_>) -> Result<(SystemTime, SystemTime), String> {
    let (_, leaf) = x509_parser::parse_x509_certificate(leaf).map_err(|e| e.to_string())?;
    let time = |at: x509_parser::time::ASN1Time| {
        UNIX_EPOCH + Duration::from_secs(at.timestamp().try_into().unwrap_or(0))
    };
    let validity = leaf.validity();
    Ok((time(validity.not_before), time(validity.not_after)))
}

/// ring, by name: with two providers compiled in rustls would panic over the choice.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What every handshake of the webhook listener goes by.
pub(super) fn server_config(
    identity: &Arc<Identity>,
    clients: Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::<Identity>::clone(identity));
    // API servers speak nothing else to webhooks.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // API servers resume no sessions, and a resumed one would skip the client's certificate.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
