//! Numbers of things in words.

/// `1 image`, `6 images`: `count` of what is called `thing`, whose plural ends in `s`.
#[must_use]
pub fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_several() {
        let said = [0, 1, 2].map(|count| counted(count, "image"));
        assert_eq!(said, ["0 images", "1 image", "2 images"]);
    }
}
