/// A line of a frame: text with colours, never wider than its columns.
struct StyledLine {
  private let columnCount: Int
  private let ellipsis: String
  private(set) var text = ""
  private(set) var width = 0

  init(_ columnCount: Int, _ style: WatchStyle) {
    self.columnCount = columnCount
    ellipsis = style.ellipsis
  }

  var room: Int { max(0, columnCount - width) }

  /// Appends what fits. - Parameter paint: puts colours around text, of no width.
  mutating func append(_ part: String, _ paint: (String) -> String = { $0 }) {
    let fitting = DisplayWidth.fitting(part, room, ellipsis: ellipsis)
    width += DisplayWidth.of(fitting)
    text += paint(fitting)
  }

  /// Appends `part` in a column of its own.
  mutating func append(
    _ part: String, columnCount: Int, isRight: Bool = false, _ paint: (String) -> String = { $0 }
  ) {
    let fitting = DisplayWidth.fitting(part, columnCount, ellipsis: ellipsis)
    let padding = String(repeating: " ", count: max(0, columnCount - DisplayWidth.of(fitting)))
    if isRight { append(padding) }
    append(fitting, paint)
    if !isRight { append(padding) }
  }

  /// Appends `part` at the line's right end, where there is room for all of it.
  mutating func appendAtEnd(_ part: String, _ paint: (String) -> String = { $0 }) {
    let gap = room - DisplayWidth.of(part)
    guard gap > 0 else { return }
    append(String(repeating: " ", count: gap))
    append(part, paint)
  }
}
