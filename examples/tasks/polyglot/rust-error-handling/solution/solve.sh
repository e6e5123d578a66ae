#!/usr/bin/env bash
set -eu
cd "${CABTRACE_WORKDIR:-$PWD}"
cat >src/lib.rs <<'RUST'
//! Sums of numbers as a user types them, separated by commas.

use std::error::Error;
use std::fmt;

/// A field that is not a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Which field, from 0.
    pub index: usize,
    /// The field as it was typed, without the spaces around it.
    pub value: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field {} is not a number: {:?}", self.index, self.value)
    }
}

impl Error for FieldError {}

/// Adds up the comma-separated numbers in `input`; spaces around a number do not matter.
///
/// # Errors
///
/// The first field that is not a number.
pub fn sum_csv(input: &str) -> Result<i64, FieldError> {
    if input.trim().is_empty() {
        return Ok(0);
    }
    input
        .split(',')
        .map(str::trim)
        .enumerate()
        .map(|(index, field)| {
            field.parse::<i64>().map_err(|_| FieldError {
                index,
                value: field.to_string(),
            })
        })
        .sum()
}
RUST
