//! Times as text, in the time zone of this machine.

/// `dd.MM.yyyy HH:mm:ss`, as Flink's command line writes milliseconds since 1970.
pub fn flinks(ms: i64) -> String {
    let time = broken_down(ms);
    format!(
        "{:02}.{:02}.{:04} {:02}:{:02}:{:02}",
        time.tm_mday,
        time.tm_mon + 1,
        time.tm_year + 1900,
        time.tm_hour,
        time.tm_min,
        time.tm_sec
    )
}

/// `yyyy-MM-dd HH:mm:ss`.
pub fn sortable(ms: i64) -> String {
    let time = broken_down(ms);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        time.tm_year + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min,
        time.tm_sec
    )
}

fn broken_down(ms: i64) -> libc::tm {
    let seconds = ms.div_euclid(1000);
    // SAFETY: all zeroes are a valid `tm`, which the call fills in; a time that it cannot tell leaves
    // it so.
    unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_fields_in_place() {
        // Noon, so that the day is the same in nearly every zone.
        let noon = 1_735_732_800_000;
        let (one, other) = (flinks(noon), sortable(noon));
        assert_eq!((one.len(), other.len()), (19, 19));
        assert!(one.contains(".01.2025 ") || one.contains(".12.2024 "), "{one}");
        assert_eq!(one[11..], other[11..]);
        assert_eq!(one[6..10], other[..4]);
    }
}
