//! The images of the applications.

use std::path::Path;

use crate::image::Image;
use crate::node::{self, Node};

/// What manifests call the specimen.
const SPECIMEN: &str = "localhost/specimen:test";

/// The same beside a shell and its programs.
pub(crate) const SHELL: &str = "localhost/specimen-shell:test";

/// Makes what the manifests name known to the node.
pub(crate) fn import(node: &Node) -> Result<(), String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/static/specimen");
    if !program.exists() {
        let program = program.display();
        return Err(format!("there is no {program}: make specimen"));
    }
    for image in [Image::new(SPECIMEN), node::base(SHELL)] {
        let image = image.file("/specimen", &program, 0o755);
        node.import(&image.user("65532:65532").entrypoint(&["/specimen"]))?;
    }
    Ok(())
}
