//! `podgrace certs generate`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::objects::ServingName;
use crate::certs::Authority;
use crate::cli::Status;
use crate::cli::serve::duration;

/// Make a CA and a certificate in files: ca.crt, tls.crt and tls.key. The CA's key is not kept.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder to write them to; files that are there are left alone.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    name: ServingName,
    /// The Namespace of the Service.
    #[arg(short, long, value_name = "NAME", default_value = "podgrace")]
    namespace: String,
    /// How long the certificate is valid.
    #[arg(long, value_name = "DURATION", default_value = "8760h", value_parser = duration)]
    certificate_lifetime: Duration,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let names = arguments.name.names(&arguments.namespace);
    let now = SystemTime::now();
    let made = Authority::make(&names, now, arguments.certificate_lifetime)
        .with_context(|| format!("no certificate can be made for {}", names.first()))?;
    let folder = &arguments.folder;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let files = [
        ("ca.crt", &made.ca_pem, 0o644),
        ("tls.crt", &made.leaf.certificate, 0o644),
        ("tls.key", &made.leaf.key, 0o600),
    ];
    // All or nothing: half of an old pair beside half of a new one is worse than neither.
    for (name, _, _) in &files {
        let path = folder.join(name);
        if path.exists() {
            anyhow::bail!(
                "{} is there already: remove it, or name another folder",
                path.display()
            );
        }
    }
    for (name, text, mode) in files {
        let path = folder.join(name);
        write(&path, text, mode).with_context(|| path.display().to_string())?;
    }
    let mut out = anstream::stdout();
    let place = folder.display();
    writeln!(
        out,
        "# wrote {place}/ca.crt, {place}/tls.crt and {place}/tls.key for {}",
        names.first()
    )?;
    writeln!(out, "# for the webhook configuration:")?;
    writeln!(out, "caBundle: {}", STANDARD.encode(&made.ca_pem))?;
    Ok(Status::Clean)
}

fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}
