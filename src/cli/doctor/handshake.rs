//! Connecting to a webhook's address from here: what it shows, and what it says.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde_json::Value;

use crate::cli::call::{Client, Reply};
use crate::doctor::Handshake;

/// For how long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an address shows in a handshake.
pub(super) async fn shake(url: &str) -> Handshake {
    let client = match client(url) {
        Ok(client) => client,
        Err(error) => return failed("", &error),
    };
    match within(client.connect()).await {
        Ok(connection) => Handshake {
            name: client.name.clone(),
            chain: connection.certificates().iter().map(pem).collect(),
            error: None,
        },
        Err(error) => failed(&client.name, &error),
    }
}

/// What it answers to a review.
pub(super) async fn post(url: &str, review: &Value) -> Result<Reply, String> {
    let answer = async {
        let client = client(url)?;
        let connection = client.connect().await?;
        connection.post(review).await
    };
    within(answer).await.map_err(|error| format!("{error:#}"))
}

async fn within<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let late = || anyhow!("no answer within {} s", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(late()))
}

fn failed(name: &str, error: &anyhow::Error) -> Handshake {
    Handshake {
        name: name.to_owned(),
        chain: Vec::new(),
        error: Some(format!("{error:#}")),
    }
}

fn client(url: &str) -> anyhow::Result<Client> {
    let uri: http::Uri = url.parse().context("it is no address")?;
    let host = uri.host().context("it names no host")?;
    let port = uri.port_u16().unwrap_or(443);
    Ok(Client {
        address: format!("{host}:{port}"),
        name: host.trim_matches(['[', ']']).to_owned(),
        path: uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned(),
        verifier: Arc::new(Anybody(rustls::crypto::ring::default_provider())),
    })
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .filter_map(|at| text.get(at..text.len().min(at + 64)))
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// Believes every certificate: it is looked at afterwards, also one that nobody should believe.
#[derive(Debug)]
struct Anybody(CryptoProvider);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
