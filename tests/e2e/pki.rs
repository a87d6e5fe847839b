//! Throw-away certificates.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

/// A CA, for servers and clients.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name = names(name, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = key();
        let certificate = params.self_signed(&key).expect("signed");
        Self {
            issuer: Issuer::new(params, key),
            pem: certificate.pem(),
        }
    }

    /// For a server of these DNS names and addresses.
    pub(crate) fn server(&self, hosts: &[&str]) -> Pair {
        self.pair(&Self::serving(hosts))
    }

    /// The same, of long ago.
    pub(crate) fn expired(&self, hosts: &[&str]) -> Pair {
        let mut params = Self::serving(hosts);
        params.not_after = rcgen::date_time_ymd(2025, 12, 31);
        self.pair(&params)
    }

    fn serving(hosts: &[&str]) -> CertificateParams {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("hosts");
        params.distinguished_name = names("server", None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params
    }

    /// For a client whom Kubernetes calls by that name, in that group.
    pub(crate) fn client(&self, user: &str, group: Option<&str>) -> Pair {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name = names(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.pair(&params)
    }

    fn pair(&self, params: &CertificateParams) -> Pair {
        let key = key();
        Pair {
            certificate: params.signed_by(&key, &self.issuer).expect("signed").pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Pair {
    /// Writes `NAME.crt` and `NAME.key`.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        (
            write(folder, &format!("{name}.crt"), &self.certificate),
            write(folder, &format!("{name}.key"), &self.key),
        )
    }
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

pub(crate) fn key() -> KeyPair {
    KeyPair::generate().expect("randomness")
}

pub(crate) fn base64(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(text)
}

fn names(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, common);
    if let Some(organization) = organization {
        names.push(DnType::OrganizationName, organization);
    }
    names
}
