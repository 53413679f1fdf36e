use crate::store::{
    dialect::Dialect,
    rows::{given, pieces},
};
use rstest::rstest;

#[rstest]
#[case(0, &[])]
#[case(1, &[(1, 1)])]
#[case(3, &[(3, 4)])]
#[case(33, &[(33, 64)])]
#[case(64, &[(64, 64)])]
#[case(131, &[(64, 64), (64, 64), (3, 4)])]
fn pieces_are_powers_of_two_in_order(#[case] rows: usize, #[case] lengths: &[(usize, usize)]) {
    let all: Vec<usize> = (0..rows).collect();
    assert_eq!(pieces(&all).map(|piece| (piece.rows.len(), piece.len())).collect::<Vec<_>>(), lengths);
    assert_eq!(pieces(&all).flat_map(|piece| piece.rows).copied().collect::<Vec<_>>(), all);
}

#[rstest]
#[case(Dialect::Postgres, "(VALUES ($1, $2, $3), ($4, $5, $6)) AS given WHERE column1 IS NOT NULL")]
#[case(Dialect::Sqlite, "(VALUES (?, ?, ?), (?, ?, ?)) AS given WHERE column1 IS NOT NULL")]
fn what_is_given_counts_on(#[case] dialect: Dialect, #[case] expected: &str) {
    assert_eq!(given(dialect, 2, 3), expected);
}
