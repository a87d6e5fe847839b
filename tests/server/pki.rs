//! Certificates, made for one test and forgotten.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

/// The name that API servers would ask for.
pub(crate) const NAME: &str = "podgrace.podgrace.svc";

/// A root or an intermediate.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) der: CertificateDer<'static>,
    /// What a leaf of it must be followed by: nothing for a root.
    chain: String,
}

/// A chain and its leaf's key, in PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Ca {
    pub(crate) fn root() -> Self {
        let (params, key) = (Self::params("root"), key());
        let certificate = params.self_signed(&key).expect("signed");
        Self {
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            chain: String::new(),
        }
    }

    pub(crate) fn intermediate(&self) -> Self {
        let (params, key) = (Self::params("intermediate"), key());
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        Self {
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            chain: certificate.pem() + &self.chain,
        }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(vec![]).expect("params");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    pub(crate) fn pem(&self) -> String {
        // rcgen keeps the PEM of certificates, not of issuers.
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&self.der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    /// A server's pair for [`NAME`].
    pub(crate) fn server(&self) -> Pair {
        self.leaf("server", &[NAME], |_| ())
    }

    /// A server's pair whose time is over.
    pub(crate) fn expired(&self) -> Pair {
        self.leaf("server", &[NAME], |params| {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        })
    }

    pub(crate) fn leaf(
        &self,
        common: &str,
        dns: &[&str],
        more: fn(&mut CertificateParams),
    ) -> Pair {
        let dns: Vec<String> = dns.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(dns).expect("params");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        more(&mut params);
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        Pair {
            chain: certificate.pem() + &self.chain,
            key: key.serialize_pem(),
        }
    }
}

impl Pair {
    /// Writes the files and returns their paths.
    pub(crate) fn write(&self, dir: &Path) -> (PathBuf, PathBuf) {
        let (chain, key) = (dir.join("tls.crt"), dir.join("tls.key"));
        std::fs::write(&chain, &self.chain).expect("written");
        std::fs::write(&key, &self.key).expect("written");
        (chain, key)
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// Both versions, and the one that is asked for.
pub(crate) const BOTH: &[&SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A client that trusts one CA, speaks these versions and, perhaps, shows a certificate.
pub(crate) fn trusting(
    ca: &Ca,
    versions: &[&'static SupportedProtocolVersion],
    own: Option<&Pair>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der.clone()).expect("a CA");
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain = CertificateDer::pem_slice_iter(own.chain.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("a key");
            builder
                .with_client_auth_cert(chain.map(|c| c.expect("a certificate")).collect(), key)
                .expect("a pair")
        }
    }
}
