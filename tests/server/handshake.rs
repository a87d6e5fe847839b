//! Who can shake hands with the server, and how.

use std::io;
use std::sync::Arc;

use podgrace::server::{BindError, CertificateSource, Engine, Identity};
use rustls::{CertificateError, ProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::pki::{self, Ca};
use crate::running::{review, run, start, with_certificate};

#[tokio::test]
async fn tls_1_3_and_1_2_are_spoken() {
    let ca = Ca::root();
    let running = run(&ca, crate::running::options(&ca), Engine::default()).await;
    for (version, spoken) in [
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let config = pki::trusting(&ca, &[version], None);
        let mut client = Client::connect(running.webhook, &config)
            .await
            .expect("connected");
        assert_eq!(client.session().protocol_version(), Some(spoken));
        client
            .post("/mutate", &review("u"))
            .await
            .expect("answered")
            .allows("u");
    }
}

#[tokio::test]
async fn http_2_is_not_offered() {
    let running = start(|_, _| ()).await;
    let mut both = running.trusting.clone();
    both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = Client::connect(running.webhook, &both)
        .await
        .expect("connected");
    assert_eq!(client.session().alpn_protocol(), Some(&b"http/1.1"[..]));

    let mut only = running.trusting.clone();
    only.alpn_protocols = vec![b"h2".to_vec()];
    assert!(Client::connect(running.webhook, &only).await.is_err());
    let series = r#"podgrace_webhook_tls_handshake_errors_total{reason="no_application_protocol"}"#;
    running.metric_becomes(series, 1.0).await;
}

#[tokio::test]
async fn a_client_refuses_another_ca_and_another_name_and_it_is_counted() {
    let running = start(|_, _| ()).await;
    let other = pki::trusting(&Ca::root(), pki::BOTH, None);
    let refused = Client::connect(running.webhook, &other).await;
    // Both roots are called the same, so that it is the signature that gives the other away.
    assert!(matches!(
        invalid(refused),
        CertificateError::BadSignature | CertificateError::UnknownIssuer
    ));
    let refused = Client::connect_as(running.webhook, &running.trusting, "other.svc").await;
    assert!(matches!(
        invalid(refused),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    ));
    let series =
        r#"podgrace_webhook_tls_handshake_errors_total{reason="server_certificate_refused"}"#;
    running.metric_becomes(series, 2.0).await;
}

fn invalid(refused: io::Result<Client>) -> CertificateError {
    let error = refused.err().expect("refused");
    match error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>())
    {
        Some(rustls::Error::InvalidCertificate(why)) => why.clone(),
        _ => panic!("refused for another reason: {error}"),
    }
}

#[tokio::test]
async fn a_chain_is_shown_whole() {
    let root = Ca::root();
    let pair = root.intermediate().intermediate().server();
    let identity = Identity::from_pem(pair.chain.as_bytes(), pair.key.as_bytes()).expect("a pair");
    let options = with_certificate(CertificateSource::Held(Arc::new(identity)));
    let running = run(&root, options, Engine::default()).await;
    let mut client = running.client().await;
    let shown = client.session().peer_certificates().expect("certificates");
    assert_eq!(shown.len(), 3);
    client
        .post("/mutate", &review("u"))
        .await
        .expect("answered")
        .allows("u");
}

#[tokio::test]
async fn what_is_no_tls_is_counted_and_harms_nobody() {
    let running = start(|_, _| ()).await;
    // A health check that only connects.
    drop(
        TcpStream::connect(running.webhook)
            .await
            .expect("connected"),
    );
    // Somebody who takes it for plain HTTP.
    let mut plain = TcpStream::connect(running.webhook)
        .await
        .expect("connected");
    let sent = plain
        .write_all(b"GET / HTTP/1.1\r\nhost: podgrace\r\n\r\n")
        .await;
    sent.expect("sent");
    let _ = plain.read_to_end(&mut Vec::new()).await;
    for reason in ["closed", "not_tls"] {
        let series = format!("podgrace_webhook_tls_handshake_errors_total{{reason=\"{reason}\"}}");
        running.metric_becomes(&series, 1.0).await;
    }
    let answered = running.client().await.post("/mutate", &review("u")).await;
    answered.expect("answered").allows("u");
}

#[tokio::test]
async fn a_useless_pair_is_told_before_anything_is_bound() {
    let dir = tempfile::tempdir().expect("a folder");
    let (ca, source) = (Ca::root(), |dir: &std::path::Path| {
        CertificateSource::Files {
            certificate: dir.join("tls.crt"),
            key: dir.join("tls.key"),
        }
    });
    let refusal = async || {
        let options = with_certificate(source(dir.path()));
        let refused = options.bind(Engine::default()).await;
        let error = refused.err().expect("refused");
        assert!(matches!(error, BindError::Certificate { .. }), "{error}");
        error.to_string()
    };
    assert!(refusal().await.contains("cannot read"), "no files");

    let mut pair = ca.server();
    pair.key = ca.server().key;
    let (certificate, key) = pair.write(dir.path());
    let told = refusal().await;
    assert!(told.contains("does not belong"), "{told}");
    assert!(told.contains(&*certificate.to_string_lossy()), "{told}");
    assert!(told.contains(&*key.to_string_lossy()), "{told}");

    std::fs::write(&key, "nonsense").expect("written");
    assert!(refusal().await.contains("private key"), "no key");
    std::fs::write(&certificate, "nonsense").expect("written");
    assert!(refusal().await.contains("no certificate"), "no certificate");
}
