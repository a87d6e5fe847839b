//! Which objects of a cluster have to do with the certificate; the same names for `serve` and `certs`.

use crate::certs::{Configuration, Kind, Names, Store};

#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct CertificateObjects {
    /// The Secret that keeps the certificate.
    #[arg(
        long,
        env = "PODGRACE_TLS_SECRET",
        value_name = "NAME",
        default_value = "podgrace-tls"
    )]
    tls_secret: String,
    /// The Namespace of the Secret and the Service, instead of the pod's own or the context's.
    #[arg(short, long, env = "PODGRACE_NAMESPACE", value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    name: ServingName,
    /// The MutatingWebhookConfiguration whose caBundle is kept.
    #[arg(
        long,
        env = "PODGRACE_WEBHOOK_CONFIGURATION",
        value_name = "NAME",
        default_value = "podgrace"
    )]
    webhook_configuration: String,
    /// The ValidatingWebhookConfiguration whose caBundle is kept, where there is one.
    #[arg(long, env = "PODGRACE_WARNING_CONFIGURATION", value_name = "NAME")]
    warning_configuration: Option<String>,
}

/// What the certificate is for.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct ServingName {
    /// The Service by which API servers call: the certificate is for its name.
    #[arg(
        long,
        env = "PODGRACE_SERVICE_NAME",
        value_name = "NAME",
        default_value = "podgrace"
    )]
    service_name: String,
    /// More names and IP addresses that the certificate is for; can be given several times.
    #[arg(
        long,
        env = "PODGRACE_TLS_NAME",
        value_name = "NAME",
        value_delimiter = ','
    )]
    tls_name: Vec<String>,
}

impl ServingName {
    pub(super) fn names(&self, namespace: &str) -> Names {
        let service = Names::service(&self.service_name, namespace);
        let names = service.iter().map(str::to_owned);
        Names::all(names.chain(self.tls_name.iter().cloned()))
    }
}

impl CertificateObjects {
    fn namespace<'n>(&'n self, client: &'n kube::Client) -> &'n str {
        let stated = self.namespace.as_deref();
        stated.unwrap_or(client.default_namespace())
    }

    pub(in crate::cli) fn names(&self, client: &kube::Client) -> Names {
        self.name.names(self.namespace(client))
    }

    pub(in crate::cli) fn store(&self, client: &kube::Client) -> Store {
        Store::new(client.clone(), self.namespace(client), &self.tls_secret)
    }

    pub(in crate::cli) fn configurations(&self, client: &kube::Client) -> Vec<Configuration> {
        let namespace = self.namespace(client);
        let configuration = |kind, name: &str| {
            let service = &self.name.service_name;
            Configuration::new(client.clone(), kind, name, service, namespace)
        };
        let mut all = vec![configuration(Kind::Mutating, &self.webhook_configuration)];
        let warnings = self.warning_configuration.as_deref();
        all.extend(warnings.map(|name| configuration(Kind::Validating, name)));
        all
    }
}
