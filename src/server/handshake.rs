//! Why TLS handshakes fail, in words that stay the same.
//!
//! They are counted and logged at debug only: TCP health checks and port scans make many.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// Every word that [`reason`] says, and `timeout`.
pub(super) const REASONS: [&str; 13] = [
    "timeout",
    "closed",
    "not_tls",
    "protocol_version",
    "no_application_protocol",
    "nothing_in_common",
    "server_certificate_refused",
    "alert",
    "client_certificate_missing",
    "client_certificate_invalid",
    "client_certificate_name",
    "protocol_error",
    "other",
];

/// The word for a failed handshake.
pub(super) fn reason(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|e| e.downcast_ref::<Error>()) {
        Some(error) => tls_reason(error),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe => "closed",
            _ => "other",
        },
    }
}

fn tls_reason(error: &Error) -> &'static str {
    match error {
        Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => "not_tls",
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired,
        ) => "protocol_version",
        Error::PeerIncompatible(_) => "nothing_in_common",
        Error::NoApplicationProtocol => "no_application_protocol",
        Error::AlertReceived(alert) => alert_reason(*alert),
        Error::NoCertificatesPresented => "client_certificate_missing",
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
            "client_certificate_name"
        }
        Error::InvalidCertificate(_) => "client_certificate_invalid",
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidMessage(_)
        | Error::DecryptError
        | Error::PeerSentOversizedRecord
        | Error::PeerMisbehaved(_) => "protocol_error",
        _ => "other",
    }
}

/// The client was told who we are and did not like it: a `caBundle` that is out of date, as a rule.
fn alert_reason(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRevoked
        | AlertDescription::DecryptError => "server_certificate_refused",
        _ => "alert",
    }
}
