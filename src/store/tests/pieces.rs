use crate::store::rows::{pieces, placeholders};
use rstest::rstest;

#[rstest]
#[case(0, &[])]
#[case(1, &[1])]
#[case(63, &[32, 16, 8, 4, 2, 1])]
#[case(64, &[64])]
#[case(131, &[64, 64, 2, 1])]
fn pieces_are_powers_of_two_in_order(#[case] rows: usize, #[case] lengths: &[usize]) {
    let all: Vec<usize> = (0..rows).collect();
    assert_eq!(pieces(&all).map(<[usize]>::len).collect::<Vec<_>>(), lengths);
    assert_eq!(pieces(&all).flatten().copied().collect::<Vec<_>>(), all);
}

#[test]
fn placeholders_count_on() {
    assert_eq!(placeholders(2, 3, 2), "($2, $3, $4), ($5, $6, $7)");
}
