//! The arguments of what the operator says of itself to machines.

use super::outcome::CommandFailure;
use crate::{
    endpoints::{Briefing, Endpoints},
    metrics::Metrics,
    traces::{OtlpEndpoint, TraceExport},
};
use clap::Args;
use std::{net::SocketAddr, str::FromStr};
use tokio::runtime::Handle;

/// What switches the endpoint off.
const OFF: &str = "off";

/// The arguments of what the operator says of itself to machines.
#[derive(Debug, Args)]
#[command(next_help_heading = "Metrics, health and traces")]
pub struct ObservabilityArguments {
    /// Where /metrics, /healthz and /readyz are served: an address and a port, or off
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8080")]
    http_address: HttpAddress,
    /// Tells the end of each grant as a metric of its own, with its names: one series for each grant that is in force or to be
    #[arg(long)]
    pub metrics_per_instance: bool,
    /// Where traces are sent by OTLP over HTTP: the URL of a collector, with its port 4318 in most cases [default: nowhere]
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<OtlpEndpoint>,
}

/// Where the operator serves HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpAddress {
    /// Nowhere.
    Off,
    /// At that address.
    At(SocketAddr),
}

/// What was given is no address to serve at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080, or off")]
pub struct NoHttpAddress;

impl FromStr for HttpAddress {
    type Err = NoHttpAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == OFF {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| NoHttpAddress)
    }
}

impl ObservabilityArguments {
    /// Sends traces from now on, where that is asked for.
    ///
    /// # Errors
    /// Where it cannot be done.
    pub fn trace(&self, runtime: &Handle) -> Result<Option<TraceExport>, CommandFailure> {
        let begin = |endpoint| TraceExport::begin(endpoint, runtime);
        self.otlp_endpoint.as_ref().map(begin).transpose().map_err(|failure| CommandFailure::Usage(failure.to_string()))
    }

    /// Serves where it is said, until `shutdown` is ready. What is to be told of the cluster, it gets later; None where it is off.
    ///
    /// # Errors
    /// Where nobody can listen there.
    pub async fn serve(
        &self,
        metrics: &Metrics,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Option<Briefing>, CommandFailure> {
        let HttpAddress::At(address) = self.http_address else { return Ok(None) };
        let endpoints = Endpoints::listen(address, metrics.clone()).await.map_err(|error| {
            CommandFailure::Impossible(format!(
                "--http-address: nothing can listen at {address}: {error}: stop the program that listens there, give another address, or switch it off with --http-address=off"
            ))
        })?;
        tracing::info!(address = %endpoints.address(), "metrics and health are served");
        let briefing = endpoints.briefing();
        tokio::spawn(endpoints.run(shutdown));
        Ok(Some(briefing))
    }
}

#[cfg(test)]
mod tests {
    use super::{HttpAddress, NoHttpAddress};
    use rstest::rstest;

    #[rstest]
    #[case("0.0.0.0:8080", Some(8080))]
    #[case("[::1]:0", Some(0))]
    #[case("off", None)]
    fn where_it_serves(#[case] text: &str, #[case] port: Option<u16>) {
        let read = text.parse::<HttpAddress>().unwrap();
        let found = if let HttpAddress::At(address) = read { Some(address.port()) } else { None };
        assert_eq!(found, port);
    }

    #[rstest]
    #[case("")]
    #[case("8080")]
    #[case(":8080")]
    #[case("localhost:8080")]
    #[case("0.0.0.0")]
    #[case("0.0.0.0:65536")]
    #[case("Off ")]
    fn what_is_no_address(#[case] text: &str) {
        assert_eq!(text.parse::<HttpAddress>(), Err(NoHttpAddress));
    }
}
