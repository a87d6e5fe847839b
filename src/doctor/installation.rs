//! What a Deployment of Podgrace says about how it is installed, and the commands that are about it.

use serde_json::Value;

/// The annotation by which Helm knows its release.
const RELEASE: &str = "meta.helm.sh/release-name";

/// The Secret that `serve` keeps where nobody names one.
const SECRET: &str = "podgrace-tls";

/// A Deployment that runs `podgrace serve`.
#[derive(Debug, Clone, Copy)]
pub struct Installation<'d> {
    deployment: &'d Value,
}

impl<'d> Installation<'d> {
    /// Reads a Deployment.
    pub fn of(deployment: &'d Value) -> Self {
        Self { deployment }
    }

    fn text(&self, key: &str) -> &'d str {
        self.deployment["metadata"][key].as_str().unwrap_or("")
    }

    /// Its name.
    pub fn name(&self) -> &'d str {
        self.text("name")
    }

    /// Its namespace.
    pub fn namespace(&self) -> &'d str {
        self.text("namespace")
    }

    /// `Deployment podgrace/podgrace`.
    pub fn title(&self) -> String {
        format!("Deployment {}/{}", self.namespace(), self.name())
    }

    /// How many replicas there should be, and how many are ready.
    pub fn replicas(&self) -> (i64, i64) {
        let wanted = self.deployment["spec"]["replicas"].as_i64().unwrap_or(1);
        let ready = &self.deployment["status"]["readyReplicas"];
        (wanted, ready.as_i64().unwrap_or(0))
    }

    /// The image of its container.
    pub fn image(&self) -> Option<&'d str> {
        self.container()?["image"].as_str()
    }

    /// The Secret in which the certificate is that it makes itself; none where it has it from files.
    pub fn own_secret(&self) -> Option<String> {
        if self
            .option("--tls-cert-file", "PODGRACE_TLS_CERT_FILE")
            .is_some()
        {
            return None;
        }
        let named = self.option("--tls-secret", "PODGRACE_TLS_SECRET");
        Some(named.unwrap_or_else(|| SECRET.to_owned()))
    }

    /// The Secret in which its certificate is, whoever keeps it.
    pub fn secret(&self) -> Option<String> {
        self.own_secret().or_else(|| self.mounted_secret())
    }

    fn mounted_secret(&self) -> Option<String> {
        let file = self.option("--tls-cert-file", "PODGRACE_TLS_CERT_FILE")?;
        let mounts = self.container()?["volumeMounts"].as_array()?;
        let mount = mounts.iter().find(|mount| {
            let path = mount["mountPath"].as_str().unwrap_or_default();
            !path.is_empty() && std::path::Path::new(&file).starts_with(path)
        })?;
        let volumes = self.deployment["spec"]["template"]["spec"]["volumes"].as_array()?;
        let volume = volumes.iter().find(|v| v["name"] == mount["name"])?;
        volume["secret"]["secretName"].as_str().map(str::to_owned)
    }

    /// The value of a flag, or of the variable that stands for it.
    fn option(&self, flag: &str, variable: &str) -> Option<String> {
        let container = self.container()?;
        let words = |key: &str| container[key].as_array().into_iter().flatten();
        let mut words = words("command")
            .chain(words("args"))
            .filter_map(Value::as_str);
        while let Some(word) = words.next() {
            if word == flag {
                return words.next().map(str::to_owned);
            }
            let value = word
                .strip_prefix(flag)
                .and_then(|rest| rest.strip_prefix('='));
            if let Some(value) = value {
                return Some(value.to_owned());
            }
        }
        let mut variables = container["env"].as_array().into_iter().flatten();
        let variable = variables.find(|v| v["name"] == variable)?;
        variable["value"].as_str().map(str::to_owned)
    }

    /// The container that serves: the one that is told to, else the only one.
    fn container(&self) -> Option<&'d Value> {
        let containers = self.deployment["spec"]["template"]["spec"]["containers"].as_array()?;
        let serves = |container: &&Value| {
            let words = ["command", "args"].into_iter().map(|key| &container[key]);
            let mut words = words.filter_map(Value::as_array).flatten();
            words.any(|word| word == "serve")
        };
        containers
            .iter()
            .find(serves)
            .or(match containers.as_slice() {
                [only] => Some(only),
                _ => None,
            })
    }

    /// What makes everything of its manifests anew that is gone: by Helm, where that made it. What is there stays.
    pub fn restore(&self, kubectl: &str) -> Option<String> {
        let release = self.deployment["metadata"]["annotations"][RELEASE].as_str()?;
        let namespace = self.namespace();
        Some(format!(
            "helm -n {namespace} get manifest {release} | {kubectl} -n {namespace} apply -f -"
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(container: Value) -> Value {
        json!({
            "metadata": {"name": "pg", "namespace": "system", "annotations": {RELEASE: "mine"}},
            "spec": {"template": {"spec": {
                "containers": [{"name": "other"}, container],
                "volumes": [{"name": "tls", "secret": {"secretName": "from-files"}}],
            }}},
        })
    }

    #[test]
    fn the_secret_is_found_however_it_is_said() {
        for (container, own, any) in [
            (
                json!({"args": ["serve"]}),
                Some("podgrace-tls"),
                Some("podgrace-tls"),
            ),
            (
                json!({"args": ["serve", "--tls-secret=a"]}),
                Some("a"),
                Some("a"),
            ),
            (
                json!({"command": ["podgrace", "serve", "--tls-secret", "b"]}),
                Some("b"),
                Some("b"),
            ),
            (
                json!({"args": ["serve"], "env": [{"name": "PODGRACE_TLS_SECRET", "value": "c"}]}),
                Some("c"),
                Some("c"),
            ),
            (
                json!({
                    "args": ["serve", "--tls-cert-file=/tls/tls.crt"],
                    "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
                }),
                None,
                Some("from-files"),
            ),
            (
                json!({"args": ["serve", "--tls-cert-file=/in/image.crt"]}),
                None,
                None,
            ),
        ] {
            let deployment = deployment(container);
            let installation = Installation::of(&deployment);
            assert_eq!(installation.own_secret().as_deref(), own);
            assert_eq!(installation.secret().as_deref(), any, "{deployment}");
        }
    }

    #[test]
    fn what_helm_made_helm_makes_again() {
        let made = deployment(json!({"args": ["serve"]}));
        assert_eq!(
            Installation::of(&made).restore("kubectl").as_deref(),
            Some("helm -n system get manifest mine | kubectl -n system apply -f -")
        );
        assert_eq!(Installation::of(&json!({})).restore("kubectl"), None);
    }
}
