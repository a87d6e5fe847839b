//! What the Secret holds, read and checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::authority::{Names, Pair};

/// The serving certificate and its key, as in a Secret of type `kubernetes.io/tls`.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// The bundle that clients are to trust.
const BUNDLE: &str = "ca.crt";
/// The pair that serves next.
const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
/// When any of it was last changed, in seconds since 1970.
const CHANGED: &str = "changed-at";

/// Everything that the Secret holds of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// What is served.
    pub leaf: Pair,
    /// What is served next, once its CA has been in every bundle for a while.
    pub next: Option<Pair>,
    /// The CAs that clients trust, newest first, in PEM.
    pub bundle: Vec<String>,
    /// When it was last changed.
    pub changed: SystemTime,
}

/// Why contents are of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is nothing of ours.
    #[error("it is empty")]
    Empty,
    /// Part of it is missing or cannot be read.
    #[error("{0}")]
    Broken(String),
}

impl Contents {
    /// Reads a Secret's data.
    ///
    /// # Errors
    /// When there is nothing, or a part cannot be read.
    pub fn read(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, Unusable> {
        if [CERTIFICATE, KEY, BUNDLE]
            .iter()
            .all(|name| data.get(*name).is_none_or(Vec::is_empty))
        {
            return Err(Unusable::Empty);
        }
        let text = |name: &str| -> Result<String, Unusable> {
            let bytes = data
                .get(name)
                .filter(|bytes| !bytes.is_empty())
                .ok_or_else(|| Unusable::Broken(format!("{name} is missing")))?;
            String::from_utf8(bytes.clone())
                .map_err(|_| Unusable::Broken(format!("{name} is no text")))
        };
        let next = match (text(NEXT_CERTIFICATE), text(NEXT_KEY)) {
            (Ok(certificate), Ok(key)) => Some(Pair { certificate, key }),
            // Half of it is as good as nothing: it is made anew.
            _ => None,
        };
        let changed = text(CHANGED).ok().and_then(|text| text.parse().ok());
        Ok(Self {
            leaf: Pair {
                certificate: text(CERTIFICATE)?,
                key: text(KEY)?,
            },
            next,
            bundle: certificates(&text(BUNDLE)?),
            changed: UNIX_EPOCH + Duration::from_secs(changed.unwrap_or(0)),
        })
    }

    /// The bundle that clients trust, in PEM.
    pub fn bundle_pem(&self) -> String {
        self.bundle.concat()
    }

    /// Puts it into a Secret's data; what is not ours stays.
    pub fn write(&self, data: &mut BTreeMap<String, Vec<u8>>) {
        let mut put = |name: &str, text: &str| {
            data.insert(name.to_owned(), text.as_bytes().to_vec());
        };
        put(CERTIFICATE, &self.leaf.certificate);
        put(KEY, &self.leaf.key);
        put(BUNDLE, &self.bundle_pem());
        put(CHANGED, &seconds(self.changed).to_string());
        if let Some(next) = &self.next {
            put(NEXT_CERTIFICATE, &next.certificate);
            put(NEXT_KEY, &next.key);
        } else {
            data.remove(NEXT_CERTIFICATE);
            data.remove(NEXT_KEY);
        }
    }
}

/// A leaf that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// When it begins to be valid.
    pub not_before: SystemTime,
    /// When it ends.
    pub not_after: SystemTime,
}

impl Leaf {
    /// Checks a pair as a client that trusts `bundle` would, at `now`, for each name.
    ///
    /// # Errors
    /// What is wrong with it, as a clause.
    pub fn check(
        pair: &Pair,
        bundle: &[String],
        names: &Names,
        now: SystemTime,
    ) -> Result<Self, String> {
        let chain = read_certificates(&pair.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())
            .map_err(|error| format!("its key cannot be read ({error})"))?;
        let provider = rustls::crypto::ring::default_provider();
        rustls::sign::CertifiedKey::from_der(chain, key, &provider)
            .map_err(|error| format!("its key does not belong to it ({error})"))?;
        Self::trusted(&pair.certificate, bundle, names, now)
    }

    /// The same of what a server shows, without its key: a leaf and its intermediates, in PEM.
    ///
    /// # Errors
    /// Why a client does not take it, as a clause.
    pub fn trusted(
        chain: &str,
        bundle: &[String],
        names: &Names,
        now: SystemTime,
    ) -> Result<Self, String> {
        let chain = read_certificates(chain)?;
        let (leaf, between) = chain.split_first().ok_or("there is no certificate in it")?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for ca in read_certificates(&bundle.concat())? {
            // One that cannot be read trusts nobody; the others still do.
            let _ = roots.add(ca);
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| "no CA of the bundle can be read")?;
        for name in names.iter() {
            let name = ServerName::try_from(name.to_owned())
                .map_err(|_| format!("{name} is no name for a server"))?;
            let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            verifier
                .verify_server_cert(leaf, between, &name, &[], UnixTime::since_unix_epoch(since))
                .map_err(|error| error.to_string())?;
        }
        Self::read(leaf)
    }

    /// The times of a certificate in PEM.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn times(pem: &str) -> Result<Self, String> {
        let certificates = read_certificates(pem)?;
        Self::read(certificates.first().ok_or("there is no certificate")?)
    }

    fn read(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) =
            x509_parser::parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
        let time = |time: x509_parser::time::ASN1Time| {
            UNIX_EPOCH + Duration::from_secs(time.timestamp().try_into().unwrap_or(0))
        };
        Ok(Self {
            not_before: time(parsed.validity().not_before),
            not_after: time(parsed.validity().not_after),
        })
    }
}

fn read_certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("a certificate cannot be read ({error})"))
}

/// Each certificate of a bundle, with its armour.
pub fn certificates(pem: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let parts = pem.split_inclusive(END);
    parts
        .filter_map(|part| {
            part.find("-----BEGIN CERTIFICATE-----")
                .map(|at| &part[at..])
        })
        .filter(|part| part.ends_with(END))
        .map(|part| format!("{part}\n"))
        .collect()
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
