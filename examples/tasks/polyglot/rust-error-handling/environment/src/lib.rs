//! Sums of numbers as a user types them, separated by commas.

/// Adds up the comma-separated numbers in `input`; spaces around a number do not matter.
pub fn sum_csv(input: &str) -> i64 {
    input
        .split(',')
        .map(|field| field.trim().parse::<i64>().unwrap())
        .sum()
}
