/// Which names a listing shows: `*` stands for any characters, `?` for one.
package struct NamePattern: Hashable, Sendable {
  private let pattern: [Character]

  package init(_ pattern: String) { self.pattern = Array(pattern) }

  /// In time of the name's length by the pattern's, at most.
  package func matches(_ name: String) -> Bool {
    let name = Array(name)
    var (at, next) = (0, 0)
    // Where to go on from after the last star, should what follows it not fit.
    var star: (next: Int, at: Int)?
    while at < name.count {
      if next < pattern.count, pattern[next] == "*" {
        star = (next + 1, at)
        next += 1
      } else if next < pattern.count, pattern[next] == "?" || pattern[next] == name[at] {
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
    return pattern[next...].allSatisfy { $0 == "*" }
  }
}
