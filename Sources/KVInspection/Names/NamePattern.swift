/// Which sessions are meant: a name, or a pattern as a shell has them. `*` stands for any characters, slashes too, `?`
/// for one, `[a-z]` for one of these and `[!a-z]` for one of the others; `\` takes a sign's meaning away.
package struct NamePattern: Hashable, Sendable {
  private enum Part: Hashable, Sendable {
    case any
    case one
    case same(Character)
    case of([ClosedRange<Character>], isNegated: Bool)

    func admits(_ character: Character) -> Bool {
      switch self {
      case .any: false
      case .one: true
      case .same(let own): own == character
      case .of(let ranges, let isNegated): ranges.contains { $0.contains(character) } != isNegated
      }
    }
  }

  /// A name that looks like a pattern means itself, too.
  private let text: String
  private let parts: [Part]

  package init(_ pattern: String) {
    text = pattern
    var parts: [Part] = []
    var rest = Array(pattern)[...]
    while let character = rest.popFirst() {
      switch character {
      case "*": parts.append(.any)
      case "?": parts.append(.one)
      case "[": parts.append(Self.popSet(&rest) ?? .same("["))
      case "\\": parts.append(.same(rest.popFirst() ?? "\\"))
      default: parts.append(.same(character))
      }
    }
    self.parts = parts
  }

  /// What stands between brackets; nil, and nothing taken, where they are not closed.
  private static func popSet(_ rest: inout ArraySlice<Character>) -> Part? {
    var inner = rest
    let isNegated = inner.first == "!" || inner.first == "^"
    if isNegated { inner.removeFirst() }
    var ranges: [ClosedRange<Character>] = []
    var isFirst = true
    while let character = inner.popFirst() {
      // First of all it stands for itself: there is no empty set.
      if character == "]", !isFirst {
        rest = inner
        return .of(ranges, isNegated: isNegated)
      }
      isFirst = false
      var lower = character
      if character == "\\", let next = inner.popFirst() { lower = next }
      var upper = lower
      let end = inner.dropFirst()
      if inner.first == "-", let last = end.first, last != "]" {
        inner = end.dropFirst()
        upper = last
      }
      // From a letter back to one before it there is none.
      if lower <= upper { ranges.append(lower...upper) }
    }
    return nil
  }

  /// In time of the name's length by the pattern's, at most.
  package func matches(_ name: String) -> Bool {
    guard name != text else { return true }
    let name = Array(name)
    var (at, next) = (0, 0)
    // Where to go on from after the last star, should what follows it not fit.
    var star: (next: Int, at: Int)?
    while at < name.count {
      if next < parts.count, parts[next] == .any {
        star = (next + 1, at)
        next += 1
      } else if next < parts.count, parts[next].admits(name[at]) {
        at += 1
        next += 1
      } else if let (afterStar, from) = star {
        at = from + 1
        next = afterStar
        star = (afterStar, at)
      } else {
        return false
      }
    }
    return parts[next...].allSatisfy { $0 == .any }
  }
}
