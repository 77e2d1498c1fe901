// SPDX-License-Identifier: GPL-2.0
//! The searches on small pieces of code: one that fits, and others that must be refused.

use super::*;

/// Where the functions of these tests lie, and what they call.
const BASE: u64 = 0x1000;
const TARGET: u64 = 0x9000;
const OTHER: u64 = 0xa000;
/// Their place in an imaginary file.
const OFFSET: usize = 0x40;

/// `mov [rbx-0x3db0], esi`
const STORE_VECTOR: &[u8] = &[0x89, 0xb3, 0x50, 0xc2, 0xff, 0xff];
/// `mov [rbx+0x3480], r13d`
const STORE_ERROR: &[u8] = &[0x44, 0x89, 0xab, 0x80, 0x34, 0x00, 0x00];
/// `mov dword [rbx-0x3db0], 2`
const STORE_NMI: &[u8] = &[0xc7, 0x83, 0x50, 0xc2, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00];
/// `movzx esi, r12b`
const LOAD_VECTOR: &[u8] = &[0x41, 0x0f, 0xb6, 0xf4];
/// `mov edx, 1`
const HARDWARE: &[u8] = &[0xba, 0x01, 0x00, 0x00, 0x00];
/// `mov rdi, rbx`
const ENV: &[u8] = &[0x48, 0x89, 0xdf];
/// `ret`
const RETURN: &[u8] = &[0xc3];
/// `jne` over the next instruction but one byte of nothing: a jump that is not taken in the path searched
const MAYBE: &[u8] = &[0x75, 0x00];

/// A function put together from pieces; calls are made to fit where they stand.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn add(mut self, piece: &[u8]) -> Self {
        self.0.extend_from_slice(piece);
        self
    }

    fn call(mut self, target: u64) -> Self {
        let next = BASE + self.0.len() as u64 + 5;
        let distance = i32::try_from(target as i64 - next as i64).expect("targets are near");
        self.0.push(0xe8);
        self.0.extend_from_slice(&distance.to_le_bytes());
        self
    }

    fn function(&self) -> Function<'_> {
        Function { address: BASE, offset: OFFSET, code: &self.0 }
    }

    fn search_vector(&self) -> Result<Patch, Refusal> {
        injected_vector_in(&self.function(), TARGET)
    }

    fn search_leftover(&self) -> Result<Patch, Refusal> {
        event_leftover_in(&self.function(), TARGET, OTHER)
    }

    fn search_flag(&self) -> Result<Patch, Refusal> {
        unlocked_flag_in(&self.function())
    }
}

fn body() -> Body {
    Body::default()
}

/// The shape that Debian's QEMU 11.1.3 has.
fn vmrun() -> Body {
    body()
        .add(LOAD_VECTOR)
        .add(STORE_ERROR)
        .add(STORE_VECTOR)
        .add(MAYBE)
        .add(HARDWARE)
        .add(ENV)
        .call(TARGET)
        .add(RETURN)
        .add(STORE_NMI)
        .add(RETURN)
}

fn reason(result: Result<Patch, Refusal>) -> String {
    result.expect_err("this must be refused").to_string()
}

#[test]
fn finds_the_store_of_the_vector() {
    let patch = vmrun().search_vector().expect("the shape fits");
    let start = LOAD_VECTOR.len() + STORE_ERROR.len();
    assert_eq!(patch.offset, OFFSET + start);
    assert_eq!(patch.address, BASE + start as u64);
    assert_eq!(patch.bytes, [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00]);
}

#[test]
fn the_cured_function_has_no_such_store() {
    let mut cured = vmrun();
    let patch = cured.search_vector().expect("the shape fits");
    let start = patch.offset - OFFSET;
    cured.0[start..start + patch.bytes.len()].copy_from_slice(&patch.bytes);
    assert!(reason(cured.search_vector()).contains("has no store of the vector"));
}

#[test]
fn follows_the_arguments_through_copies() {
    // mov rax, rbx; mov ecx, esi; mov [rax-0x3db0], ecx; mov rdi, rax; mov esi, ecx
    let fits = body()
        .add(&[0x48, 0x89, 0xd8, 0x89, 0xf1, 0x89, 0x88, 0x50, 0xc2, 0xff, 0xff])
        .add(&[0x48, 0x89, 0xc7, 0x89, 0xce])
        .call(TARGET)
        // mov dword [rax-0x3db0], 2
        .add(&[0xc7, 0x80, 0x50, 0xc2, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00]);
    assert_eq!(fits.search_vector().expect("the shape fits").offset, OFFSET + 5);
}

#[test]
fn refuses_two_stores() {
    let twice = body().add(STORE_VECTOR).add(STORE_VECTOR).add(ENV).call(TARGET).add(STORE_NMI);
    assert!(reason(twice.search_vector()).contains("2 candidates"));
}

#[test]
fn refuses_two_deliveries() {
    let twice = vmrun().call(TARGET);
    assert!(reason(twice.search_vector()).contains("2 candidates for call"));
}

#[test]
fn refuses_without_a_delivery() {
    let never = body().add(STORE_VECTOR).add(ENV).call(OTHER).add(STORE_NMI);
    assert!(reason(never.search_vector()).contains("has no call"));
}

#[test]
fn a_store_before_another_call_or_jump_is_not_it() {
    let call = body().add(STORE_VECTOR).call(OTHER).add(ENV).call(TARGET).add(STORE_NMI);
    assert!(reason(call.search_vector()).contains("has no store"));
    // jmp to the next instruction
    let jump = body().add(STORE_VECTOR).add(&[0xeb, 0x00]).add(ENV).call(TARGET).add(STORE_NMI);
    assert!(reason(jump.search_vector()).contains("has no store"));
}

#[test]
fn a_store_of_something_else_is_not_it() {
    // The register is loaded anew between the store and the call, so the store had another value.
    let value = body().add(STORE_VECTOR).add(LOAD_VECTOR).add(ENV).call(TARGET).add(STORE_NMI);
    assert!(reason(value.search_vector()).contains("has no store"));
    // mov rbx, rax: so does the base.
    let base = body().add(STORE_VECTOR).add(&[0x48, 0x89, 0xc3]).add(ENV).call(TARGET).add(STORE_NMI);
    assert!(reason(base.search_vector()).contains("has no store"));
}

#[test]
fn a_field_of_env_is_not_it() {
    // mov [rbx+0x3480], esi; mov dword [rbx+0x3480], 2
    let above = body()
        .add(&[0x89, 0xb3, 0x80, 0x34, 0x00, 0x00])
        .add(ENV)
        .call(TARGET)
        .add(&[0xc7, 0x83, 0x80, 0x34, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00]);
    assert!(reason(above.search_vector()).contains("has no store"));
}

#[test]
fn a_field_that_never_gets_an_nmi_is_not_it() {
    let unknown = body().add(STORE_VECTOR).add(ENV).call(TARGET).add(RETURN);
    assert!(reason(unknown.search_vector()).contains("has no store"));
}

#[test]
fn refuses_a_jump_into_the_store() {
    // jmp back to the second byte of the store
    let start = vmrun().0.len();
    let inside = LOAD_VECTOR.len() + STORE_ERROR.len() + 1;
    let back = inside as i64 - (start as i64 + 2);
    let entered = vmrun().add(&[0xeb, i8::try_from(back).expect("near") as u8]);
    assert!(reason(entered.search_vector()).contains("middle of the store"));
}

#[test]
fn refuses_what_does_not_decode() {
    let odd = vmrun().add(&[0x06]);
    assert!(reason(odd.search_vector()).contains("no instruction"));
}

/// `mov rdi, r15; and eax, 0x7fffffff; mov edx, eax`
const CLEAR_VALID: &[u8] = &[0x4c, 0x89, 0xff, 0x25, 0xff, 0xff, 0xff, 0x7f, 0x89, 0xc2];

#[test]
fn finds_the_clearing_of_the_valid_bit() {
    let patch = body().call(TARGET).add(CLEAR_VALID).call(OTHER).search_leftover().expect("the shape fits");
    assert_eq!(patch.offset, OFFSET + 5 + 3);
    assert_eq!(patch.bytes, [0x25, 0, 0, 0, 0]);
}

#[test]
fn finds_the_longer_form_of_it() {
    // and r12d, 0x7fffffff
    let other = body().call(TARGET).add(&[0x41, 0x81, 0xe4, 0xff, 0xff, 0xff, 0x7f]).call(OTHER);
    assert_eq!(other.search_leftover().expect("the shape fits").bytes, [0x41, 0x81, 0xe4, 0, 0, 0, 0]);
}

#[test]
fn refuses_a_valid_bit_of_something_else() {
    for (before, after) in [(OTHER, OTHER), (TARGET, TARGET), (OTHER, TARGET)] {
        let other = body().call(before).add(CLEAR_VALID).call(after);
        assert!(reason(other.search_leftover()).contains("not cleared between"));
    }
    let first = body().add(CLEAR_VALID).call(OTHER);
    assert!(reason(first.search_leftover()).contains("not cleared between"));
    let last = body().call(TARGET).add(CLEAR_VALID);
    assert!(reason(last.search_leftover()).contains("not cleared between"));
}

#[test]
fn refuses_none_or_two_valid_bits() {
    assert!(reason(body().call(TARGET).call(OTHER).search_leftover()).contains("has no instruction"));
    let two = body().call(TARGET).add(CLEAR_VALID).call(OTHER).call(TARGET).add(CLEAR_VALID).call(OTHER);
    assert!(reason(two.search_leftover()).contains("2 candidates"));
}

/// `and dword [rax+0x41a4], 0xffffff7f`
const CLEAR_FLAG: &[u8] = &[0x81, 0xa0, 0xa4, 0x41, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff];

#[test]
fn locks_the_clearing_of_the_flag() {
    let patch = body().call(TARGET).add(CLEAR_FLAG).add(RETURN).search_flag().expect("the shape fits");
    assert_eq!(patch.offset, OFFSET + 5);
    assert_eq!(patch.bytes.len(), CLEAR_FLAG.len());
    let function = Function { address: BASE, offset: 0, code: &patch.bytes };
    let listing = Listing::decode(&function).expect("they are instructions");
    let locked = listing.at(0);
    assert_eq!(locked.code(), Code::And_rm8_imm8);
    assert!(locked.has_lock_prefix());
    assert_eq!((locked.memory_base(), locked.memory_displacement64()), (Register::RAX, 0x41a4));
    assert_eq!(locked.immediate8(), 0x7f);
    assert!(listing.all()[1..].iter().all(|instruction| instruction.mnemonic() == iced_x86::Mnemonic::Nop));
    assert!(reason(Body(patch.bytes).search_flag()).contains("has no plain instruction"));
}

#[test]
fn locks_it_with_another_register_too() {
    // and dword [r12+0x41a4], 0xffffff7f
    let other = body().add(&[0x41, 0x81, 0xa4, 0x24, 0xa4, 0x41, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff]);
    let locked = [0xf0, 0x41, 0x80, 0xa4, 0x24, 0xa4, 0x41, 0x00, 0x00, 0x7f, 0x66, 0x90];
    assert_eq!(other.search_flag().expect("the shape fits").bytes, locked);
}

#[test]
fn refuses_none_or_two_flags() {
    assert!(reason(body().add(RETURN).search_flag()).contains("has no plain instruction"));
    // and ecx, 0xffffff7f, which the assembler could have made longer than it is
    assert!(reason(body().add(&[0x81, 0xe1, 0x7f, 0xff, 0xff, 0xff]).search_flag()).contains("has no plain"));
    assert!(reason(body().add(CLEAR_FLAG).add(CLEAR_FLAG).search_flag()).contains("2 candidates"));
}

#[test]
fn nops_have_the_length_asked_for_and_do_nothing() {
    for length in 1..=15 {
        let bytes = nops(length);
        assert_eq!(bytes.len(), length);
        let function = Function { address: BASE, offset: 0, code: &bytes };
        let listing = Listing::decode(&function).expect("they are instructions");
        assert!(listing.all().iter().all(|instruction| instruction.mnemonic() == iced_x86::Mnemonic::Nop));
    }
}
