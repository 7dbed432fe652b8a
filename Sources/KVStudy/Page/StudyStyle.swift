/// What a study's drawings need beside a report's.
enum StudyStyle {
  static let text = """

    .occupancy { border-radius: 4px; background: var(--sunken); }
    .occupancy .hollow { stroke: none; }
    .addresses { background: var(--card); }
    .hollow-plain { fill: var(--line); }
    .axis { display: flex; justify-content: space-between; color: var(--quiet); font-size: .8125rem; margin-top: .2rem; }
    .verdict { margin: .25rem 0 1rem; }
    .chosen { font-weight: 600; }
    .rule { max-width: 46rem; margin: 0 0 1rem; }
    .rule li { list-style: disc; margin: 0 0 .35rem 1.25rem; }
    .legend svg { flex: none; }

    """
}
