use crate::store::{StoreAddress, address::InvalidStoreAddress};
use rstest::rstest;

#[rstest]
#[case("sqlite:///var/lib/store.db", "sqlite:///var/lib/store.db", false)]
#[case("sqlite:///a%3Fb/ü.db", "sqlite:///a%3Fb/ü.db", false)]
#[case("sqlite:///var/lib/store.db\n", "sqlite:///var/lib/store.db", false)]
#[case("postgres://me:secret@db.example:6432/usage?sslmode=require", "postgres://db.example:6432/usage", true)]
#[case("postgresql://me:s%40cret@db/usage", "postgres://db:5432/usage", true)]
#[case("postgres://db/usage?password=secret", "postgres://db:5432/usage", true)]
#[case("postgres://me:secret@%2Frun%2Fpostgresql/usage", "postgres:///run/postgresql/usage", true)]
fn an_address_is_shown_without_its_password(#[case] text: &str, #[case] shown: &str, #[case] is_shared: bool) {
    let address: StoreAddress = text.parse().unwrap();
    assert_eq!((address.to_string().as_str(), address.is_shared()), (shown, is_shared));
    assert_eq!(format!("{address:?}"), format!("StoreAddress({shown})"));
}

#[rstest]
#[case("", InvalidStoreAddress::Scheme)]
#[case("/var/lib/store.db", InvalidStoreAddress::Scheme)]
#[case("mysql://me:secret@db/usage", InvalidStoreAddress::Scheme)]
#[case("sqlite::memory:", InvalidStoreAddress::Scheme)]
#[case("sqlite://", InvalidStoreAddress::Path)]
#[case("sqlite://store.db", InvalidStoreAddress::Path)]
#[case("sqlite:///var/lib/", InvalidStoreAddress::Path)]
#[case("sqlite:///store.db?mode=memory", InvalidStoreAddress::Parameters)]
#[case("postgres://me:sec/ret@db/usage", InvalidStoreAddress::Postgres)]
#[case("postgres://me:secret@db:none/usage", InvalidStoreAddress::Postgres)]
#[case("postgres://me:secret@db/usage?sslmode=secret", InvalidStoreAddress::Postgres)]
#[case("postgres://me:secret@db", InvalidStoreAddress::NoDatabase)]
fn what_is_no_address_is_refused_without_telling_of_it(#[case] text: &str, #[case] error: InvalidStoreAddress) {
    assert_eq!(text.parse::<StoreAddress>(), Err(error));
    assert!(!error.to_string().contains("secret"));
}
