//! A CA and a leaf that it signed.

use std::time::{Duration, SystemTime};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;

/// How long before its making a certificate begins to be valid, at most: clocks of the cluster may be behind
/// ours.
const BACKDATED: Duration = Duration::from_secs(3600);

/// How long a leaf is valid where nobody says otherwise.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// A certificate and its private key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key. Never write it anywhere but to its Secret or file.
    pub key: String,
}

/// Without the key: what is printed for debugging ends in logs.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// The names that a serving certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// One DNS name or IP address.
    pub fn one(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    /// Several; the first is what a client asks for.
    pub fn all(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// A Service's: an API server asks for `SERVICE.NAMESPACE.svc`.
    pub fn service(name: &str, namespace: &str) -> Self {
        Self(vec![
            format!("{name}.{namespace}.svc"),
            format!("{name}.{namespace}.svc.cluster.local"),
            format!("{name}.{namespace}"),
        ])
    }

    /// The name that a client asks for.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// A new CA and a leaf that it signed. Both keys are new too, and the CA's is forgotten at once.
#[derive(Debug)]
pub struct Authority {
    /// The CA's certificate.
    pub ca: CertificateDer<'static>,
    /// The same, in PEM.
    pub ca_pem: String,
    /// The leaf.
    pub leaf: Pair,
}

impl Authority {
    /// Makes both for a server of that DNS name.
    ///
    /// # Errors
    /// When the name is no DNS name, or the system has no randomness.
    pub fn new(name: &str) -> Result<Self, rcgen::Error> {
        Self::make(&Names::one(name), SystemTime::now(), LIFETIME)
    }

    /// Makes both; the leaf is valid from an hour before `now`, less where the lifetime is short, until
    /// `lifetime` after it, the CA for as long again.
    ///
    /// # Errors
    /// When a name is none, or the system has no randomness.
    pub fn make(names: &Names, now: SystemTime, lifetime: Duration) -> Result<Self, rcgen::Error> {
        let not_before = now - BACKDATED.min(lifetime / 10);
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        // Clients find the CA of a leaf by its name: two in one bundle need two names.
        ca.distinguished_name = common_name(&format!("Podgrace CA {}", short_id(&ca_key)));
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.not_before = not_before.into();
        ca.not_after = (now + lifetime * 2).into();
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(Vec::new())?;
        leaf.subject_alt_names = names.iter().map(alternative).collect::<Result<_, _>>()?;
        leaf.distinguished_name = common_name(names.first());
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.not_before = not_before.into();
        leaf.not_after = (now + lifetime).into();
        let certificate = leaf.signed_by(&key, &issuer)?;
        Ok(Self {
            ca: ca_certificate.der().clone(),
            ca_pem: ca_certificate.pem(),
            leaf: Pair {
                certificate: certificate.pem(),
                key: key.serialize_pem(),
            },
        })
    }
}

fn alternative(name: &str) -> Result<SanType, rcgen::Error> {
    Ok(match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(Ia5String::try_from(name)?),
    })
}

/// A few digits that two keys hardly share.
fn short_id(key: &KeyPair) -> String {
    let bytes = key.public_key_raw();
    let tail = &bytes[bytes.len().saturating_sub(4)..];
    tail.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The subject. Its length is limited where the names are not (X.520: 64).
fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name.get(..64).unwrap_or(name));
    names
}
