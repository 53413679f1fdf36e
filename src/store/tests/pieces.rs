use crate::store::rows::{given, pieces};
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

#[test]
fn what_is_given_counts_on() {
    assert_eq!(given(2, 3), "(VALUES ($1, $2, $3), ($4, $5, $6)) AS given WHERE column1 IS NOT NULL");
}
