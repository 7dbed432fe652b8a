/// A frame that cannot be read or made: what is wrong, and where. In service it counts as a miss, in `verify` as
/// damage.
package struct FrameError: Error, Hashable, Sendable, CustomStringConvertible {
  package let message: String

  package init(_ message: String) { self.message = message }

  package var description: String { message }
}
