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
    #[arg(long, value_name = "NAME", conflicts_with = "webhook_url")]
    webhook_service: Option<String>,
    /// The URL by which it does, for an operator outside of the cluster: https:// with a host and perhaps a port
    #[arg(long, value_name = "URL")]
    webhook_url: Option<BaseUrl>,
    /// Where the webhook listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:9443")]
    webhook_address: SocketAddr,
    /// The ValidatingWebhookConfiguration by which the API server knows of the webhook
    #[arg(long, value_name = "NAME", default_value = "entitlement-operator")]
    webhook_configuration: String,
    /// Whether that is made and kept; if not, only the caBundle of its webhook validate.entitlements.dev is filled in
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    webhook_register: bool,
    /// Warn of what names something that does not exist, rather than refuse it: for tools that apply things in any order
    #[arg(long)]
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
