//! The arguments of the admission webhook.

use super::{outcome::CommandFailure, terminal::harmless};
use crate::webhook::{BaseUrl, ClientAuthorities, Options, Reachability};
use clap::{ArgAction, Args};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The arguments of the admission webhook.
#[derive(Debug, Args)]
#[allow(clippy::struct_field_names, reason = "flags are named after their fields")]
#[command(next_help_heading = "Admission webhook (on with one of --webhook-service and --webhook-url)")]
pub struct WebhookArguments {
    /// The Service in the operator's namespace by whose port 443 the API server reaches the webhook
    #[arg(long, value_name = "NAME", group = "webhook_reach")]
    webhook_service: Option<String>,
    /// The URL by which the API server reaches the webhook of an operator outside the cluster: https:// with a host and perhaps a
    /// port
    #[arg(long, value_name = "URL", group = "webhook_reach")]
    webhook_url: Option<BaseUrl>,
    /// Where the webhook listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:9443", requires = "webhook_reach")]
    webhook_address: SocketAddr,
    /// The ValidatingWebhookConfiguration by which the API server knows the webhook
    #[arg(long, value_name = "NAME", default_value = "entitlement-operator", requires = "webhook_reach")]
    webhook_configuration: String,
    /// Whether the operator makes and keeps that configuration; if not, it fills in only the caBundle and the path of its webhook
    /// validate.entitlements.dev
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true, requires = "webhook_reach")]
    webhook_register: bool,
    /// Warns of objects that name something that does not exist, instead of refusing them: for tools that apply objects in any
    /// order
    #[arg(long, requires = "webhook_reach")]
    webhook_allow_missing: bool,
    /// Demands that callers show a certificate signed by an authority in this file (PEM): that of the API server's client
    /// certificate
    #[arg(long, value_name = "FILE", requires = "webhook_reach")]
    webhook_client_ca: Option<PathBuf>,
}

impl WebhookArguments {
    /// How the webhook is set up; None where it is off.
    ///
    /// # Errors
    /// Where a file cannot be used.
    pub fn options(self, namespace: &str) -> Result<Option<Options>, CommandFailure> {
        let service = self.webhook_service.map(Reachability::Service);
        let Some(reach) = service.or(self.webhook_url.map(Reachability::Url)) else { return Ok(None) };
        Ok(Some(Options {
            address: self.webhook_address,
            reach,
            client_authorities: self.webhook_client_ca.as_deref().map(authorities).transpose()?,
            namespace: namespace.to_owned(),
            configuration: self.webhook_configuration,
            registers: self.webhook_register,
            allows_missing: self.webhook_allow_missing,
        }))
    }
}

fn authorities(path: &Path) -> Result<ClientAuthorities, CommandFailure> {
    let unusable = |error: &dyn std::fmt::Display| {
        CommandFailure::Usage(format!(
            "--webhook-client-ca: {} is of no use: {error}: give a file with the certificate (PEM) of the authority that signs the API server's client certificate",
            harmless(&path.display().to_string())
        ))
    };
    let pem = fs::read(path).map_err(|error| unusable(&error))?;
    ClientAuthorities::read(&pem).map_err(|error| unusable(&error))
}

#[cfg(test)]
mod tests {
    use super::{Path, Reachability, WebhookArguments, fs};
    use crate::webhook::Options;
    use clap::{CommandFactory, FromArgMatches, Parser, error::ErrorKind};
    use rstest::rstest;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        webhook: WebhookArguments,
    }

    fn read(arguments: &[&str]) -> Result<Option<Options>, ErrorKind> {
        let arguments = ["run"].into_iter().chain(arguments.iter().copied());
        let matches = Arguments::command().try_get_matches_from(arguments).map_err(|error| error.kind())?;
        Ok(Arguments::from_arg_matches(&matches).unwrap().webhook.options("operator").unwrap())
    }

    #[test]
    fn it_is_off_unless_it_can_be_reached() {
        assert!(read(&[]).unwrap().is_none());
        let options = read(&["--webhook-service=hook"]).unwrap().unwrap();
        assert_eq!(options.reach, Reachability::Service("hook".to_owned()));
        assert_eq!((options.namespace.as_str(), options.configuration.as_str()), ("operator", "entitlement-operator"));
        assert_eq!((options.registers, options.allows_missing), (true, false));
        let options = read(&["--webhook-url=https://[::1]", "--webhook-register=false", "--webhook-allow-missing"]);
        let options = options.unwrap().unwrap();
        assert_eq!((options.host().as_str(), options.registers, options.allows_missing), ("::1", false, true));
    }

    #[test]
    fn the_authorities_of_clients_are_read_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (none, garbage, good) =
            (folder.path().join("none"), folder.path().join("garbage"), folder.path().join("good"));
        fs::write(&garbage, "garbage").unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        fs::write(&good, authority.pem()).unwrap();
        let options = |path: &Path| {
            let arguments = ["run", "--webhook-service=hook", "--webhook-client-ca", path.to_str().unwrap()];
            let arguments = Arguments::try_parse_from(arguments).unwrap();
            arguments.webhook.options("operator").map_err(|failure| failure.to_string())
        };
        assert!(options(&none).unwrap_err().contains("none is of no use: No such file"));
        assert!(
            options(&garbage).unwrap_err().contains("garbage is of no use: the authorities of clients cannot be read")
        );
        assert!(options(&good).unwrap().unwrap().client_authorities.is_some());
    }

    #[rstest]
    #[case::both(&["--webhook-service=hook", "--webhook-url=https://a"], ErrorKind::ArgumentConflict)]
    #[case::no_url(&["--webhook-url=a"], ErrorKind::ValueValidation)]
    #[case::unreached(&["--webhook-allow-missing"], ErrorKind::MissingRequiredArgument)]
    #[case::unreached_address(&["--webhook-address=127.0.0.1:1"], ErrorKind::MissingRequiredArgument)]
    fn what_makes_no_sense_is_refused(#[case] arguments: &[&str], #[case] kind: ErrorKind) {
        assert_eq!(read(arguments).unwrap_err(), kind);
    }
}
