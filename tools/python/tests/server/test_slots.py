"""Which slot a prompt goes to, and what is known of a slot."""

from __future__ import annotations

import unittest

import proxy  # noqa: F401  (finds the package)
from kvpager.server.slots import OWN, SlotTable, common_length


class ChoosingASlot(unittest.TestCase):
    def setUp(self) -> None:
        self.table = SlotTable(3)
        self.addCleanup(lambda: self.table.assert_invariants())

    def hold(self, index: int, tokens: list[int] | None, unsaved: bool = False) -> None:
        slot = self.table.slots[index]
        self.table.take(slot)
        slot.hold(tokens, exact=False, unsaved=unsaved)
        self.table.give_back(slot)

    def chosen(self, prompt: list[int] | None, **more: object) -> int | None:
        slot = self.table.choose(prompt, **more)  # type: ignore[arg-type]
        return None if slot is None else slot.index

    def test_a_conversation_goes_on_in_the_slot_that_holds_it(self) -> None:
        self.hold(0, [1, 2, 3])
        self.hold(1, [1, 2, 9, 9])
        self.hold(2, [7])
        self.assertEqual(self.chosen([1, 2, 9, 9, 5]), 1)
        self.assertEqual(self.chosen([1, 2, 3, 4]), 0)

    def test_a_new_conversation_takes_the_slot_unused_longest_though_another_shares_its_beginning(self) -> None:
        self.hold(2, [50, 51])
        self.hold(0, [1, 2, 10, 11, 12, 13])
        self.hold(1, [60, 61])
        self.assertEqual(self.chosen([1, 2, 30, 31]), 2)

    def test_an_empty_slot_is_taken_before_one_that_holds_something(self) -> None:
        self.hold(0, [1])
        self.hold(2, [2])
        self.assertEqual(self.chosen([9, 9]), 1)

    def test_a_slot_of_which_nothing_is_known_is_not_taken_for_an_empty_one(self) -> None:
        self.hold(0, None)
        self.hold(1, [1])
        self.assertEqual(self.chosen([9, 9]), 2)

    def test_without_a_store_the_longest_common_beginning_decides(self) -> None:
        self.hold(0, [1, 2, 10, 11, 12, 13])
        self.hold(1, [60, 61])
        self.assertEqual(self.chosen([1, 2, 30, 31], longest=True), 0)

    def test_a_busy_slot_is_not_chosen_and_where_all_are_busy_none_is(self) -> None:
        self.hold(0, [1, 2, 3])
        self.table.take(self.table.slots[0])
        self.assertNotEqual(self.chosen([1, 2, 3, 4]), 0)
        for slot in self.table.slots:
            self.table.take(slot)
        self.assertIsNone(self.chosen([1, 2, 3, 4]))

    def test_the_slot_that_a_client_names_is_the_one_or_is_waited_for(self) -> None:
        self.assertEqual(self.chosen([1], wished=2), 2)
        self.assertEqual(self.chosen([1], wished=4), 1)
        self.table.take(self.table.slots[2])
        self.assertIsNone(self.chosen([1], wished=2))

    def test_a_prompt_that_is_not_known_goes_to_the_slot_unused_longest(self) -> None:
        self.hold(1, [1])
        self.hold(0, [2])
        self.hold(2, [3])
        self.assertEqual(self.chosen(None), 1)


class KnowingASlot(unittest.TestCase):
    def setUp(self) -> None:
        self.table = SlotTable(2)
        self.slot = self.table.slots[0]

    def test_a_slot_loses_what_is_unsaved_only_where_the_prompt_leaves_it(self) -> None:
        self.slot.hold([1, 2, 3], exact=False, unsaved=True)
        self.assertTrue(self.slot.loses([1, 2, 4]))
        self.assertFalse(self.slot.loses([1, 2, 3, 4]))
        self.slot.hold([1, 2, 3], exact=True, unsaved=False)
        self.assertFalse(self.slot.loses([9]))

    def test_a_save_that_was_overtaken_marks_nothing(self) -> None:
        self.slot.hold([1, 2], exact=False, unsaved=True)
        version = self.slot.version
        self.slot.hold([5, 6], exact=False, unsaved=True)
        self.slot.saved([1, 2, 3], version)
        self.assertEqual((self.slot.tokens, self.slot.unsaved), ([5, 6], True))
        self.slot.saved([5, 6, 7], self.slot.version)
        self.assertEqual((self.slot.tokens, self.slot.exact, self.slot.unsaved), ([5, 6, 7], True, False))

    def test_work_of_others_is_seen_and_own_work_is_not_taken_for_it(self) -> None:
        for slot in self.table.slots:
            slot.hold([1, 2], exact=True, unsaved=False)
        self.slot.task = OWN
        self.assertEqual(self.table.observe([7, None]), [])
        self.assertEqual(self.table.observe([7, 8]), [self.table.slots[1]])
        self.assertIsNone(self.table.slots[1].tokens)
        self.assertEqual(self.table.observe([9, 8]), [self.slot])
        self.assertIsNone(self.slot.tokens)

    def test_a_server_started_anew_holds_nothing(self) -> None:
        self.slot.hold([1, 2], exact=True, unsaved=True)
        self.table.forget()
        self.assertEqual((self.slot.tokens, self.slot.unsaved), ([], False))
        self.table.assert_invariants()

    def test_the_common_beginning_ends_at_the_first_token_that_differs(self) -> None:
        self.assertEqual(common_length([1, 2, 3], [1, 2, 4, 5]), 2)
        self.assertEqual(common_length([1, 2], [1, 2, 4]), 2)
        self.assertEqual(common_length([], [1]), 0)


if __name__ == "__main__":
    unittest.main()
