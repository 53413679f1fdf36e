//! The arguments of the Prometheus that knows what is used.

use super::{outcome::CommandFailure, terminal::harmless};
use crate::prometheus::{PrometheusOptions, PrometheusSource, PrometheusUrl};
use clap::Args;
use std::{path::PathBuf, time::Duration};

/// The arguments of the Prometheus that knows what is used.
#[derive(Debug, Args)]
#[allow(clippy::struct_field_names, reason = "flags are named after their fields")]
#[command(next_help_heading = "Usage from Prometheus")]
pub struct PrometheusArguments {
    /// The Prometheus, or what speaks its API, that is asked by definitions with usage.prometheus: the URL below which it has
    /// /api/v1
    #[arg(long, value_name = "URL")]
    prometheus_url: Option<PrometheusUrl>,
    /// A file with the bearer token for it, or with the password of --prometheus-user; it is read for each request
    #[arg(long, value_name = "FILE", requires = "prometheus_url")]
    prometheus_token_file: Option<PathBuf>,
    /// The user who asks it by basic authentication
    #[arg(long, value_name = "NAME", requires = "prometheus_token_file", value_parser = user)]
    prometheus_user: Option<String>,
    /// A file with the certificates (PEM) of the authorities that its own may be signed by [default: those of the machine]
    #[arg(long, value_name = "FILE", requires = "prometheus_url")]
    prometheus_certificate_authority: Option<PathBuf>,
    /// A file with headers for it, one a line, such as `X-Scope-OrgID: shop` for Mimir; it is read for each request
    #[arg(long, value_name = "FILE", requires = "prometheus_url")]
    prometheus_header_file: Option<PathBuf>,
    /// How long it may take to answer a request: 1s to 300s
    #[arg(long, value_name = "DURATION", requires = "prometheus_url", default_value = "30s", value_parser = timeout)]
    prometheus_timeout: Duration,
}

fn user(text: &str) -> Result<String, &'static str> {
    let is_user = !text.is_empty() && !text.contains(':') && !text.contains(char::is_control);
    if is_user { Ok(text.to_owned()) } else { Err("it is no name of a user, which has no colon in it") }
}

fn timeout(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
    let allowed = seconds.filter(|seconds| (1..=300).contains(seconds));
    allowed.map(Duration::from_secs).ok_or("it is from 1s to 300s, in whole seconds, such as 30s")
}

impl PrometheusArguments {
    /// The Prometheus that is asked; None where none is.
    ///
    /// # Errors
    /// Where a file cannot be used.
    pub fn source(&self) -> Result<Option<PrometheusSource>, CommandFailure> {
        let Some(url) = self.prometheus_url.clone() else { return Ok(None) };
        let options = PrometheusOptions {
            token_file: self.prometheus_token_file.clone(),
            user: self.prometheus_user.clone(),
            certificate_authority: self.prometheus_certificate_authority.clone(),
            header_file: self.prometheus_header_file.clone(),
            deadline: self.prometheus_timeout,
            ..PrometheusOptions::at(url)
        };
        let source = PrometheusSource::new(&options);
        source.map(Some).map_err(|error| CommandFailure::Usage(harmless(&error.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::PrometheusArguments;
    use clap::{Parser, error::ErrorKind};
    use rstest::rstest;
    use std::fs;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        prometheus: PrometheusArguments,
    }

    fn parsed(arguments: &[&str]) -> Result<PrometheusArguments, ErrorKind> {
        let words = ["run"].into_iter().chain(arguments.iter().copied());
        Arguments::try_parse_from(words).map(|read| read.prometheus).map_err(|error| error.kind())
    }

    fn said(arguments: &[&str]) -> String {
        parsed(arguments).unwrap().source().unwrap_err().to_string()
    }

    #[test]
    fn it_is_off_unless_it_has_a_place() {
        assert!(parsed(&[]).unwrap().source().unwrap().is_none());
        assert!(parsed(&["--prometheus-url=http://a:9090/prefix/"]).unwrap().source().unwrap().is_some());
    }

    #[test]
    fn its_files_are_read_at_once_and_nothing_of_a_token_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let url = "--prometheus-url=https://a";
        let authority = |path: &str| format!("--prometheus-certificate-authority={path}");
        let token = |path: &str| format!("--prometheus-token-file={path}");
        let (empty, lines) = (file("empty", "\n"), file("lines", "hunter2\nhunter3\n"));
        assert_eq!(
            said(&[url, &token("/nonexistent")]),
            "--prometheus-token-file: /nonexistent is of no use: No such file or directory (os error 2)"
        );
        assert_eq!(said(&[url, &token(&empty)]), format!("--prometheus-token-file: {empty} is of no use: it is empty"));
        let expected =
            format!("--prometheus-token-file: {lines} is of no use: it holds more than one line with a token");
        assert_eq!(said(&[url, &token(&lines)]), expected);
        let expected = "give a file with the certificate (PEM) of the authority that signs that of Prometheus";
        assert!(said(&[url, &authority(&lines)]).ends_with(expected));
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = file("ca", &rcgen::CertificateParams::default().self_signed(&key).unwrap().pem());
        let header = |path: &str| format!("--prometheus-header-file={path}");
        for bad in ["X-Scope-OrgID: shop\nhunter2\n", "\nHost: hunter2", "a b: hunter2"] {
            let said = said(&[url, &header(&file("headers", bad))]);
            let number = if bad.starts_with('a') { 1 } else { 2 };
            assert!(said.contains(&format!("line {number} is no header that may be added")), "{said}");
            assert!(!said.contains("hunter2"));
        }
        let token = token(&file("token", "hunter2\n"));
        let headers = header(&file("headers", "X-Scope-OrgID: shop\n\nX-Key: hunter2\n"));
        let read = parsed(&[url, &authority(&pem), &token, "--prometheus-user=me", &headers]).unwrap();
        let source = read.source().unwrap().unwrap();
        assert!(!format!("{source:?}").contains("hunter2"));
    }

    #[rstest]
    #[case::no_place(&["--prometheus-token-file=a"], ErrorKind::MissingRequiredArgument)]
    #[case::no_password(&["--prometheus-url=http://a", "--prometheus-user=a"], ErrorKind::MissingRequiredArgument)]
    #[case::no_url(&["--prometheus-url=a"], ErrorKind::ValueValidation)]
    #[case::no_time(&["--prometheus-url=http://a", "--prometheus-timeout=0s"], ErrorKind::ValueValidation)]
    #[case::no_user(&["--prometheus-url=http://a", "--prometheus-token-file=a", "--prometheus-user=a:b"], ErrorKind::ValueValidation)]
    fn what_makes_no_sense_is_refused(#[case] arguments: &[&str], #[case] kind: ErrorKind) {
        assert_eq!(parsed(arguments).unwrap_err(), kind);
    }
}
