#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| moderato_fuzz::targets::import(data));
