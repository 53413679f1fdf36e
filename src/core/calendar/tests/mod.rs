mod durations;
mod lengths;
mod local;
mod moments;
mod notices;
mod properties;
mod terms;
mod zone_data;
mod zones;

use super::{Bound, CalendarDuration, Moment, Nominal, Tz, parse_zone};

fn zone(name: &str) -> Tz {
    parse_zone(name).unwrap()
}

fn duration(text: &str) -> CalendarDuration {
    text.parse().unwrap()
}

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn start(text: &str, zone_name: &str) -> Nominal {
    Nominal::of_start(moment(text), zone(zone_name))
}

fn end(text: &str, zone_name: &str) -> Bound<Nominal> {
    Nominal::of_end(moment(text), zone(zone_name))
}
