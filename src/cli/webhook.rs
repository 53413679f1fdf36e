//! The arguments of the admission webhook.

use crate::webhook::{BaseUrl, Options, Reach};
use clap::{ArgAction, Args};
use std::net::SocketAddr;

/// The arguments of the admission webhook.
#[derive(Debug, Args)]
#[allow(clippy::struct_field_names, reason = "flags are named after their fields")]
#[command(next_help_heading = "Admission webhook (on with one of --webhook-service and --webhook-url)")]
pub struct WebhookArguments {
    /// The Service in the operator's namespace by whose port 443 the API server reaches the webhook
    #[arg(long, value_name = "NAME", group = "webhook_reach")]
    webhook_service: Option<String>,
    /// The URL by which it does, for an operator outside of the cluster: https:// with a host and perhaps a port
    #[arg(long, value_name = "URL", group = "webhook_reach")]
    webhook_url: Option<BaseUrl>,
    /// Where the webhook listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:9443", requires = "webhook_reach")]
    webhook_address: SocketAddr,
    /// The ValidatingWebhookConfiguration by which the API server knows of the webhook
    #[arg(long, value_name = "NAME", default_value = "entitlement-operator", requires = "webhook_reach")]
    webhook_configuration: String,
    /// Whether that is made and kept; if not, only the caBundle of its webhook validate.entitlements.dev is filled in
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true, requires = "webhook_reach")]
    webhook_register: bool,
    /// Warn of what names something that does not exist, rather than refuse it: for tools that apply things in any order
    #[arg(long, requires = "webhook_reach")]
    webhook_allow_missing: bool,
}

impl WebhookArguments {
    /// How the webhook is set up; None where it is off.
    #[must_use]
    pub fn options(self, namespace: &str) -> Option<Options> {
        let service = self.webhook_service.map(Reach::Service);
        Some(Options {
            address: self.webhook_address,
            reach: service.or(self.webhook_url.map(Reach::Url))?,
            namespace: namespace.to_owned(),
            configuration: self.webhook_configuration,
            registers: self.webhook_register,
            allows_missing: self.webhook_allow_missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, WebhookArguments};
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
        Ok(Arguments::from_arg_matches(&matches).unwrap().webhook.options("operator"))
    }

    #[test]
    fn it_is_off_unless_it_can_be_reached() {
        assert!(read(&[]).unwrap().is_none());
        let options = read(&["--webhook-service=hook"]).unwrap().unwrap();
        assert_eq!(options.reach, Reach::Service("hook".to_owned()));
        assert_eq!((options.namespace.as_str(), options.configuration.as_str()), ("operator", "entitlement-operator"));
        assert_eq!((options.registers, options.allows_missing), (true, false));
        let options = read(&["--webhook-url=https://[::1]", "--webhook-register=false", "--webhook-allow-missing"]);
        let options = options.unwrap().unwrap();
        assert_eq!((options.host().as_str(), options.registers, options.allows_missing), ("::1", false, true));
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
