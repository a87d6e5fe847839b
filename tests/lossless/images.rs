//! The images of the applications.

use std::path::{Path, PathBuf};

use crate::image::Image;
use crate::node::{self, Node};

/// What manifests call the specimen.
const SPECIMEN: &str = "localhost/specimen:test";

/// The same beside a shell and its programs.
pub(crate) const SHELL: &str = "localhost/specimen-shell:test";

/// A program that `make lossless-tools` built.
pub(crate) fn built(name: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/static");
    let program = folder.join(name);
    match program.exists() {
        true => Ok(program),
        false => Err(format!(
            "there is no {}: make lossless-tools",
            program.display()
        )),
    }
}

/// Makes what the manifests name known to the node.
pub(crate) fn import(node: &Node) -> Result<(), String> {
    let program = built("specimen")?;
    for image in [Image::new(SPECIMEN), node::base(SHELL)] {
        let image = image.file("/specimen", &program, 0o755);
        node.import(&image.user("65532:65532").entrypoint(&["/specimen"]))?;
    }
    Ok(())
}
