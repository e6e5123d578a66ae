#[cfg(test)]
mod tests {
    use csv_sum::{sum_csv, FieldError};

    #[test]
    fn happy_path() {
        assert_eq!(sum_csv("1,2,3"), Ok(6));
        assert_eq!(sum_csv(" 10 , 20 "), Ok(30));
        assert_eq!(sum_csv("7"), Ok(7));
    }

    #[test]
    fn negative_numbers() {
        assert_eq!(sum_csv("-1,2,-3"), Ok(-2));
    }

    #[test]
    fn empty() {
        assert_eq!(sum_csv(""), Ok(0));
        assert_eq!(sum_csv("   "), Ok(0));
    }

    #[test]
    fn bad_input_does_not_panic() {
        for input in ["x", "1,,2", "1,2,", ",", "99999999999999999999", "1.5", "- 1", "\u{0}", "1;2"] {
            let result = std::panic::catch_unwind(|| sum_csv(input).is_err());
            assert!(matches!(result, Ok(true)), "input {input:?} gave {result:?}");
        }
    }

    #[test]
    fn bad_input_reports_index_and_value() {
        let error = sum_csv("1, two ,three").unwrap_err();
        assert_eq!(error, FieldError { index: 1, value: "two".to_string() });

        let boxed: Box<dyn std::error::Error> = Box::new(error);
        let message = boxed.to_string();
        assert!(message.contains('1') && message.contains("two"), "message: {message}");

        assert_eq!(sum_csv("1,2,").unwrap_err(), FieldError { index: 2, value: String::new() });
    }
}
