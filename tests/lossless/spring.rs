//! Images of a real Spring Boot application, with the Java that `make spring` cuts to what it needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::helm::said;
use crate::image::Image;
use crate::node::Node;

/// The versions that manifests name: one that shuts down immediately by default, and the latest.
const VERSIONS: [&str; 2] = ["3.3.13", "4.1.2"];

/// Makes them known to the node.
pub(crate) fn import(node: &Node) -> Result<(), String> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/spring");
    let java = built.join("jre");
    for version in VERSIONS {
        let jar = built.join(version).join("app.jar");
        if !jar.exists() || !java.exists() {
            return Err(format!("there is no {}: make spring", jar.display()));
        }
        let mut image = Image::new(&format!("localhost/spring:{version}"))
            .tree("/jre", &java)
            .file("/app.jar", &jar, 0o644)
            .text("/etc/passwd", "app:x:1000:1000::/:/none\n", 0o644)
            .user("1000:1000")
            .directory("/tmp")
            // One compiler is enough to start: 3 s instead of 6.
            .entrypoint(&[
                "/jre/bin/java",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-jar",
                "/app.jar",
            ]);
        for library in libraries(&java)? {
            let path = library.display().to_string();
            image = image.file(&path, &library, 0o755);
        }
        node.import(&image)?;
    }
    Ok(())
}

/// What the machine's own Java is linked with: the loader, libc and a few others.
fn libraries(java: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let mut command = Command::new("ldd");
    command.arg(java.join("bin/java"));
    command.args(["lib/server/libjvm.so", "lib/libzip.so"].map(|file| java.join(file)));
    let text = said(&mut command)?;
    let words = text.split_whitespace();
    let paths = words.filter(|word| word.starts_with('/') && !word.ends_with(':'));
    Ok(paths
        .map(PathBuf::from)
        .filter(|path| !path.starts_with(java))
        .collect())
}
