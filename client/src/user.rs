//! Name of the user who runs this process. The resource manager shows it as the user of an application. The
//! name is not verified and gives no permissions: a request needs the cluster's token.

use std::ffi::CStr;

/// The longest entry of the user database that is read, in bytes.
const ENTRY_MAX_BYTES: usize = 64 * 1024;

/// The name of the effective user, or its number where it has none.
pub fn name() -> String {
    // SAFETY: it has no arguments and cannot fail.
    let user_id = unsafe { libc::geteuid() };
    name_of(user_id).unwrap_or_else(|| user_id.to_string())
}

fn name_of(user_id: libc::uid_t) -> Option<String> {
    let mut buffer = vec![0; ENTRY_MAX_BYTES];
    let mut found = std::ptr::null_mut();
    // SAFETY: a structure of integers and pointers, for which all zeros is a value.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    // SAFETY: all pointers are to memory that lives on, and the length is that of the buffer.
    let failed = unsafe {
        libc::getpwuid_r(user_id, &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut found)
    };
    if failed != 0 || found.is_null() || entry.pw_name.is_null() {
        return None;
    }
    // SAFETY: a text that ends with a zero, in the buffer, which still lives.
    let name = unsafe { CStr::from_ptr(entry.pw_name) };
    name.to_str().ok().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The name, encoded for the query of a URL.
pub fn in_query(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_has_a_name_or_a_number() {
        assert_eq!(name_of(0).as_deref(), Some("root"));
        assert_eq!(name_of(libc::uid_t::MAX - 7), None);
        assert!(!name().is_empty());
    }

    #[test]
    fn names_are_spelled_for_a_query() {
        assert_eq!(in_query("ann-b_1.c"), "ann-b_1.c");
        assert_eq!(in_query("a b&\u{e9}"), "a%20b%26%C3%A9");
    }
}
