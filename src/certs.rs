//! Serving certificates that we make ourselves: a CA and a leaf for one name.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;

/// A new CA and a leaf that it signed. Both keys are new too, and the CA's is forgotten at once.
pub struct Authority {
    /// The CA's certificate.
    pub ca: CertificateDer<'static>,
    /// The leaf, in PEM.
    pub certificate: String,
    /// The leaf's private key, in PEM. Never write it anywhere but to its Secret or file.
    pub key: String,
}

impl Authority {
    /// Makes both for a server of that DNS name.
    ///
    /// # Errors
    /// When the name is no DNS name, or the system has no randomness.
    pub fn new(name: &str) -> Result<Self, rcgen::Error> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name = common_name("Podgrace CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(vec![name.to_owned()])?;
        leaf.distinguished_name = common_name(name);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = leaf.signed_by(&key, &issuer)?;
        Ok(Self {
            ca: ca_certificate.der().clone(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}
