import KVBlocks

/// Rows as a function of the tokens up to their own, as attention computes them: any row that is ever read can be
/// checked without having kept it.
package struct RowFunction: Sendable {
  package let layout: BlockLayout

  package init(layout: BlockLayout) { self.layout = layout }

  /// The state after each of `tokens`, one a token.
  package func states(of tokens: [Token]) -> [UInt64] {
    var state: UInt64 = 0x6b76_7061_6765_7221
    return tokens.map { token in
      state = SplitMix64.mix(state ^ UInt64(UInt32(bitPattern: token)))
      return state
    }
  }

  /// Fills `rows` of plane `plane` for the tokens whose states are given.
  package func fill(_ rows: UnsafeMutableRawBufferPointer, plane: Int, states: ArraySlice<UInt64>) {
    let rowByteCount = layout.planes[plane].rowByteCount
    precondition(rows.count == rowByteCount * states.count, "rows and states disagree")
    for (row, state) in states.enumerated() {
      var random = SplitMix64(seed: state ^ UInt64(plane) &* 0x2545_f491_4f6c_dd1d)
      for byte in 0..<rowByteCount {
        // The high byte varies little, as exponents do: there is something for the codec to find.
        let value = random.next()
        rows[row * rowByteCount + byte] = byte & 1 == 1 ? UInt8(0x3c | value & 1) : UInt8(truncatingIfNeeded: value)
      }
    }
  }

  /// Whether `rows` are those of plane `plane` for the tokens whose states are given.
  package func matches(_ rows: UnsafeRawBufferPointer, plane: Int, states: ArraySlice<UInt64>) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: max(rows.count, 1), alignment: 16) { expected in
      let expected = UnsafeMutableRawBufferPointer(rebasing: expected[..<rows.count])
      fill(expected, plane: plane, states: states)
      return rows.elementsEqual(expected)
    }
  }
}
