//! The arguments that these subcommands share, and how each is read.

use crate::{
    api::{
        AmountField,
        facet_fields::{SecretFacet, SecretKeyRef},
    },
    cli::{
        connection::ConnectionArguments,
        moment::MomentArgument,
        offline::{MomentArguments, SourceArguments, namespace},
    },
    connection::Connection,
    core::{amount::Amount, calendar::Moment, facets::split, name},
    offline::{Setting, TermDate},
};
use chrono::NaiveDate;
use clap::Args;
use std::{path::PathBuf, time::Duration};

/// Where the grants are, and whether anything is written.
#[derive(Debug, Args)]
pub struct DeskArguments {
    /// A file, a folder, or - for standard input, instead of a cluster; may be given several times
    #[arg(short, long, value_name = "PATH", num_args = 1, conflicts_with_all = ["kubeconfig", "context", "user", "groups", "apply"])]
    filename: Vec<PathBuf>,
    /// The namespace of the grant [default: the only one that is possible, or entitlements]
    #[arg(short, long, value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: Option<String>,
    /// The operator's own namespace, as its run has it [default: entitlement-operator; in a cluster, where the operator that
    /// works on it runs]
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace)]
    operator_namespace: Option<String>,
    #[command(flatten)]
    pub moment: MomentArguments,
    /// Does it in the cluster, with your own rights, and waits until the operator has judged it
    #[arg(long, conflicts_with = "at")]
    pub apply: bool,
    /// With --apply: how many seconds the operator's judgement is waited for
    #[arg(long, value_name = "SECONDS", default_value = "30", requires = "apply", value_parser = clap::value_parser!(u32).range(1..=3600))]
    wait: u32,
    /// With --apply: does not wait for the operator's judgement
    #[arg(long, requires = "apply", conflicts_with = "wait")]
    no_wait: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

impl DeskArguments {
    /// Where the objects come from.
    pub fn source(&self) -> SourceArguments {
        let namespaces = if self.filename.is_empty() { Vec::new() } else { self.namespace.iter().cloned().collect() };
        SourceArguments::of(&self.filename, namespaces, self.operator_namespace.as_deref(), &self.connection)
    }

    /// How it is done, where it is not done here.
    pub fn advice(&self) -> &'static str {
        if self.filename.is_empty() {
            "Nothing is written yet: --apply does it, or kubectl apply -f - with this manifest."
        } else {
            "Nothing is written yet: put this manifest beside the others, or give it to kubectl apply -f -."
        }
    }

    /// Which cluster, and as whom.
    pub fn connection(&self) -> Connection {
        self.connection.connection()
    }

    /// How long the operator's judgement is waited for, if it is.
    pub fn patience(&self) -> Option<Duration> {
        (!self.no_wait).then(|| Duration::from_secs(self.wait.into()))
    }
}

/// Reads a day or a moment: of a manifest, or a time from now.
pub fn when(text: &str) -> Result<TermDate, String> {
    if text.starts_with('+') {
        return match MomentArgument::read(text)? {
            MomentArgument::Later(duration) => Ok(TermDate::Later(duration)),
            _ => Err(format!("{text:?} is no time from now such as +90d or +1y")),
        };
    }
    text.parse::<Moment>()
        .map(TermDate::At)
        .map_err(|error| format!("{error}; or a time from now, such as +90d or +1y"))
}

/// The same of an end, which may be never.
pub fn end(text: &str) -> Result<TermDate, String> {
    let never = NaiveDate::from_ymd_opt(9999, 12, 31).filter(|_| text == "never");
    match never {
        Some(day) => Ok(TermDate::At(Moment::Date(day))),
        None => when(text).map_err(|error| format!("{error}, or never")),
    }
}

/// Reads an amount.
pub fn amount(text: &str) -> Result<AmountField, String> {
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = text.parse().ok().filter(|_| is_whole).map(AmountField::Whole);
    let amount = whole.unwrap_or_else(|| AmountField::Text(text.to_owned()));
    match Amount::read(&amount) {
        Ok(_) => Ok(amount),
        Err(_) => Err("write a whole number of at most 15 digits, a decimal such as 2.5 with at most 9 digits behind the point, or Unlimited".to_owned()),
    }
}

/// Reads `facet.field=value`. The value is not repeated in what is said: it may have been meant as a secret.
pub fn setting(text: &str) -> Result<Setting, String> {
    let form = "write facet.field=value, such as backup.retention=90; lists and objects as JSON";
    let (place, value) = text.split_once('=').ok_or(form)?;
    let mut names = split(place).into_iter();
    let (facet, path) = (names.next().unwrap_or_default(), names.collect::<Vec<_>>());
    if path.is_empty() || path.iter().any(String::is_empty) {
        return Err(form.to_owned());
    }
    name::facet(&facet).map_err(|fault| format!("the name of a facet {fault}"))?;
    Ok(Setting { facet, path, text: value.to_owned() })
}

/// Reads `facet.field=SECRET/KEY`.
pub fn secret(text: &str) -> Result<SecretFacet, String> {
    let form = "write facet.field=SECRET/KEY, such as backup.password=acme/password";
    let (place, source) = text.split_once('=').ok_or(form)?;
    let (name, key) = source.split_once('/').ok_or(form)?;
    let names = split(place);
    let [facet, field] = names.as_slice() else { return Err(form.to_owned()) };
    name::facet(facet).map_err(|fault| format!("the name of a facet {fault}"))?;
    name::dns_subdomain(name).map_err(|fault| format!("the name of a Secret {fault}"))?;
    name::data_key(key).map_err(|fault| format!("a key of a Secret {fault}"))?;
    if field.is_empty() {
        return Err(form.to_owned());
    }
    let secret_key_ref = SecretKeyRef { name: name.to_owned(), key: key.to_owned() };
    Ok(SecretFacet { facet: facet.clone(), field: field.clone(), secret_key_ref })
}

/// Reads the name of an object.
pub fn object_name(text: &str) -> Result<String, String> {
    name::dns_label(text).map(|()| text.to_owned()).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2027-01-31", "2027-01-31")]
    #[case("2027-01-31T09:00:00+01:00", "2027-01-31T08:00:00Z")]
    fn a_moment_is_taken_as_a_manifest_has_it(#[case] text: &str, #[case] expected: &str) {
        let Ok(TermDate::At(moment)) = when(text) else { panic!("{text}") };
        assert_eq!(moment.to_string(), expected);
    }

    #[test]
    fn an_end_may_be_never() {
        assert_eq!(end("never"), when("9999-12-31"));
        for wrong in ["never ", "tomorrow", "-3d", "+3", "2027-02-30", ""] {
            assert!(end(wrong).unwrap_err().ends_with(", or never"), "{wrong}");
        }
        assert!(when("never").is_err());
        assert!(matches!(end("+3d"), Ok(TermDate::Later(_))));
    }

    #[test]
    fn amounts_are_never_binary_fractions() {
        assert_eq!(amount("50"), Ok(AmountField::Whole(50)));
        assert_eq!(amount("2.5"), Ok(AmountField::Text("2.5".to_owned())));
        assert_eq!(amount("Unlimited"), Ok(AmountField::Text("Unlimited".to_owned())));
        for wrong in ["", "-1", "+1", "1e3", "1,5", "many", "1234567890123456", "1.1234567890"] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_setting_names_a_facet_and_a_field() {
        let read = |text| setting(text).map(|one| (one.facet, one.path.join("/"), one.text));
        assert_eq!(read("a.b=1"), Ok(("a".to_owned(), "b".to_owned(), "1".to_owned())));
        assert_eq!(read("a.b.c=x=y"), Ok(("a".to_owned(), "b/c".to_owned(), "x=y".to_owned())));
        assert_eq!(read(r"a.b\.c="), Ok(("a".to_owned(), "b.c".to_owned(), String::new())));
        for wrong in ["a=hunter2", "hunter2", "a.=hunter2", "=hunter2", "A.b=hunter2", "a..b=hunter2"] {
            let said = setting(wrong).unwrap_err();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_secret_is_named_and_never_given() {
        let read = secret("backup.password=acme/key").unwrap();
        assert_eq!((read.facet.as_str(), read.field.as_str()), ("backup", "password"));
        assert_eq!((read.secret_key_ref.name.as_str(), read.secret_key_ref.key.as_str()), ("acme", "key"));
        for wrong in
            ["backup.password=hunter2", "backup=acme/key", "backup.a.b=acme/key", "backup.p=acme/", "backup.p=A/k"]
        {
            let said = secret(wrong).unwrap_err();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
