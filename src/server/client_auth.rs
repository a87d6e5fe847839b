//! The optional check of who calls: a certificate signed by a CA of ours, in a name of ours.
//!
//! Off by default, because API servers show webhooks no certificate until they are configured to.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};
use x509_parser::extensions::GeneralName;

use super::files::{Contents, FileError, Watch};
use super::reload::ReloadStatus;
use super::tls::{self, Identity};

/// Which clients may call.
#[derive(Debug, Clone)]
pub struct ClientAuth {
    /// PEM certificates of the CAs that sign clients; followed when it changes.
    pub ca: PathBuf,
    /// Names of which a client's certificate must carry one, as its common name or a DNS name.
    /// When empty, whoever the CA signed may call.
    pub names: Vec<String>,
}

/// Why a CA file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ClientCaError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds nothing to check clients with.
    #[error("no certificate in it: it needs the CAs that sign client certificates, in PEM")]
    Empty,
    /// A certificate in the file cannot be read.
    #[error("a certificate in it cannot be read ({0}): write it anew, as PEM")]
    Bad(String),
}

/// Keeps the listener's configuration in step with the CA file.
#[derive(Debug)]
pub(super) struct ClientCa {
    names: Arc<[String]>,
    status: ReloadStatus,
}

impl ClientCa {
    pub(super) fn new(names: &[String]) -> Self {
        Self {
            names: names.into(),
            status: ReloadStatus::default(),
        }
    }

    pub(super) fn status(&self) -> &ReloadStatus {
        &self.status
    }

    /// Makes the check from [`Contents`] of the CA file.
    pub(super) fn verifier(
        &self,
        files: &Contents,
    ) -> Result<Arc<dyn ClientCertVerifier>, ClientCaError> {
        let mut roots = RootCertStore::empty();
        for ca in tls::certificates(files.get(0)?).map_err(ClientCaError::Bad)? {
            let added = roots.add(ca);
            added.map_err(|error| ClientCaError::Bad(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(ClientCaError::Empty);
        }
        let signed = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider())
            .build()
            .map_err(|error| ClientCaError::Bad(error.to_string()))?;
        Ok(Arc::new(SignedAndNamed {
            signed,
            names: Arc::clone(&self.names),
        }))
    }

    /// Replaces the configuration whenever the CA file changes, for ever.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut files: Watch,
        identity: Arc<Identity>,
        config: Arc<ArcSwap<ServerConfig>>,
    ) {
        let name = files.names();
        loop {
            let made = self
                .verifier(files.changed().await)
                .map_err(|error| error.to_string())
                .and_then(|verifier| {
                    tls::server_config(&identity, Some(verifier)).map_err(|e| e.to_string())
                });
            match made {
                Ok(made) => {
                    config.store(made);
                    self.status.succeeded();
                    tracing::info!("client CA loaded");
                }
                Err(error) => {
                    self.status.failed(format!("{name}: {error}"));
                    tracing::error!(
                        error,
                        from = name,
                        "the new client CA is of no use; the old one stays"
                    );
                }
            }
        }
    }
}

/// webpki's check of the signature, then ours of the name.
#[derive(Debug)]
struct SignedAndNamed {
    signed: Arc<dyn ClientCertVerifier>,
    names: Arc<[String]>,
}

impl SignedAndNamed {
    fn carries_a_name(&self, certificate: &CertificateDer<'_>) -> bool {
        if self.names.is_empty() {
            return true;
        }
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else {
            return false;
        };
        let wanted = |name: &str| self.names.iter().any(|n| n == name);
        let mut common = certificate.subject().iter_common_name();
        if common.any(|name| name.as_str().is_ok_and(wanted)) {
            return true;
        }
        let Ok(Some(alternatives)) = certificate.subject_alternative_name() else {
            return false;
        };
        let mut names = alternatives.value.general_names.iter();
        names.any(|name| matches!(name, GeneralName::DNSName(dns) if wanted(dns)))
    }
}

impl ClientCertVerifier for SignedAndNamed {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.signed.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .signed
            .verify_client_cert(end_entity, intermediates, now)?;
        if self.carries_a_name(end_entity) {
            Ok(verified)
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}
