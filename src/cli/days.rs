//! Whose days an argument means.

use crate::{core::calendar::Tz, offline::When};
use std::collections::BTreeMap;

/// More time zones, and more clients of one, are counted.
const FEW: usize = 3;

/// `Days are those of Europe/Berlin.` Absent where no argument gives a day, or nobody has one.
#[must_use]
pub fn whose_days<'a>(given: &[Option<When>], clients: impl IntoIterator<Item = (&'a str, Tz)>) -> Option<String> {
    given.iter().flatten().find_map(|when| when.day())?;
    let mut zones: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (client, zone) in clients {
        zones.entry(zone.name()).or_default().push(client);
    }
    let told = match zones.len() {
        0 => return None,
        1 => zones.into_keys().collect(),
        _ => {
            let each = zones.iter().take(FEW).map(|(zone, clients)| format!("{zone} ({})", few(clients)));
            let others = zones.len().saturating_sub(FEW);
            let others = (others > 0).then(|| format!("{others} more"));
            format!("each client: {}", each.chain(others).collect::<Vec<_>>().join(", "))
        }
    };
    Some(format!("Days are those of {told}."))
}

fn few(clients: &[&str]) -> String {
    let others = clients.len().saturating_sub(FEW);
    let others = (others > 0).then(|| format!("{others} more"));
    let named = clients.iter().take(FEW).map(|client| (*client).to_owned());
    named.chain(others).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::{parse_instant, parse_zone};

    #[test]
    fn whose_days_they_are_is_said() {
        let day = Some(When::On("2026-12-01".parse().unwrap()));
        let zone = |name: &str| parse_zone(name).unwrap();
        let (berlin, tokyo, utc) = (zone("Europe/Berlin"), zone("Asia/Tokyo"), Tz::UTC);
        assert_eq!(
            whose_days(&[None, day], [("a", berlin), ("b", berlin)]).unwrap(),
            "Days are those of Europe/Berlin."
        );
        assert_eq!(
            whose_days(
                &[day],
                [("a", berlin), ("b", tokyo), ("c", berlin), ("d", berlin), ("e", berlin), ("f", berlin)]
            )
            .unwrap(),
            "Days are those of each client: Asia/Tokyo (b), Europe/Berlin (a, c, d, 2 more)."
        );
        let many = [("a", berlin), ("b", tokyo), ("c", utc), ("d", zone("Asia/Kolkata"))];
        assert_eq!(
            whose_days(&[day], many).unwrap(),
            "Days are those of each client: Asia/Kolkata (d), Asia/Tokyo (b), Europe/Berlin (a), 1 more."
        );
        let instant = Some(When::At(parse_instant("2026-12-01T00:00:00Z").unwrap()));
        assert_eq!(whose_days(&[instant, None], [("a", berlin)]), None);
        assert_eq!(whose_days(&[day], []), None);
    }
}
