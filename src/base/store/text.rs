//! Small texts of others, in the encodings that people's tools write: UTF-8, and what Windows
//! calls Unicode, which `Out-File` and `>` write in PowerShell.

/// Bytes as text, without the mark at its beginning that tells the encoding; or why they are none.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let wide: Option<fn([u8; 2]) -> u16> = match bytes.as_slice() {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        _ => None,
    };
    let Some(unit) = wide else {
        let text = String::from_utf8(bytes).map_err(|_| "it is neither UTF-8 nor UTF-16 text")?;
        return Ok(match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        });
    };
    let pairs = bytes[2..].chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err("it is cut off in the middle of a UTF-16 character".into());
    }
    let units: Vec<u16> = pairs.map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).map_err(|_| "it begins like UTF-16 text and is none".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_mark_at_the_beginning_tells_the_encoding() {
        let text = "aé\u{1f600}\r\n";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            wide(text, u16::to_le_bytes),
            wide(text, u16::to_be_bytes),
        ] {
            assert_eq!(decode(bytes).as_deref(), Ok(text));
        }
        assert_eq!(decode(Vec::new()).as_deref(), Ok(""));
        let mut cut = wide(text, u16::to_le_bytes);
        cut.pop();
        for (bytes, why) in [
            (cut, "cut off"),
            (vec![0xff, 0xfe, 0, 0xd8, 0, 0], "is none"),
            (vec![0xff], "neither UTF-8 nor UTF-16"),
        ] {
            assert!(decode(bytes).unwrap_err().contains(why), "{why}");
        }
    }
}
