use crate::store::{
    StoreError,
    error::{of_postgres, of_sqlite},
};
use rstest::rstest;

fn word(error: &StoreError) -> &'static str {
    match error {
        StoreError::Down(_) => "down",
        StoreError::Full(_) => "full",
        StoreError::Slow(_) => "slow",
        StoreError::Refused(_) => "refused",
        StoreError::Foreign(_) => "foreign",
        StoreError::Unreadable(_) => "unreadable",
        _ => "other",
    }
}

#[rstest]
#[case::busy_while_recovering(261, "slow")]
#[case::no_room(13, "full")]
#[case::read_only_folder(1544, "refused")]
#[case::disk_error_while_writing(778, "down")]
#[case::folder_missing(14, "down")]
#[case::damaged_index(779, "unreadable")]
#[case::no_database(26, "foreign")]
#[case::no_such_column(1, "unreadable")]
fn what_sqlite_says(#[case] code: u32, #[case] expected: &str) {
    assert_eq!(word(&of_sqlite(code, "said".to_owned())), expected);
}

#[rstest]
#[case::disk_full("53100", "full")]
#[case::too_many_connections("53300", "down")]
#[case::shutting_down("57P01", "down")]
#[case::starting_up("57P03", "down")]
#[case::statement_timeout("57014", "slow")]
#[case::lock_timeout("55P03", "slow")]
#[case::deadlock("40P01", "slow")]
#[case::wrong_password("28P01", "refused")]
#[case::no_such_database("3D000", "refused")]
#[case::no_right("42501", "refused")]
#[case::standby("25006", "refused")]
#[case::idle_in_transaction("25P03", "down")]
#[case::read_error("58030", "down")]
#[case::file_missing("58P01", "unreadable")]
#[case::damaged("XX001", "unreadable")]
fn what_postgres_says(#[case] code: &str, #[case] expected: &str) {
    assert_eq!(word(&of_postgres(code, "said".to_owned())), expected);
}
