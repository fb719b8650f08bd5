// Looks at the page that is open, which has axe-core. WebDriver calls this with a callback.
const [done] = arguments;

// WCAG 2.0 to 2.2, A and AA, and what axe-core holds to be good practice beyond them.
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'];

// The element and all that it lies in, also out of a shadow tree.
function* upwards(element) {
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
    yield at;
  }
}

const isContent = element => [...upwards(element)].some(at => at.localName === 'main');

const openingTag = element =>
  element.outerHTML.match(/^<(?:"[^"]*"|'[^']*'|[^'">])*>/)?.[0] ?? `<${element.localName}>`;

// What may stand in the source as it does here, the most telling first.
function clues(element) {
  const ordered = ['src', 'href', 'alt', 'title', 'style', 'id'];
  const attributes = ordered.map(name => element.getAttribute(name) ?? '');
  // mdBook makes .html of .md.
  const pages = attributes.slice(0, 2).map(value => value.replace(/\.html(?=#|$)/, '.md'));
  const text = element.textContent.split('\n').map(line => line.trim());
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    text.push(...walker.currentNode.data.split('\n').map(line => line.trim()));
  }
  text.sort((a, b) => b.length - a.length);
  const found = [openingTag(element), ...attributes, ...pages, ...text.slice(0, 20)];
  return [...new Set(found)].filter(clue => clue.length > 3);
}

const describe = element => ({
  tag: openingTag(element),
  isContent: isContent(element),
  clues: clues(element),
});

async function violations() {
  const found = await axe.run(document, {
    runOnly: { type: 'tag', values: TAGS },
    resultTypes: ['violations'],
    elementRef: true,
    iframes: false,
    // Not the style sheets, which it would request again.
    preload: { assets: ['media'] },
  });
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ element, none, all, any }) => ({
      rule: id,
      help,
      detail: [...none, ...all, ...any][0]?.message ?? '',
      element: describe(element),
    })),
  );
}

// Pictures that Markdown gave no words, `![](picture.png)`: to axe-core they are mere decoration.
const wordless = () =>
  [...document.querySelectorAll('main img[alt=""]:not([role=presentation], [role=none])')].map(describe);

// Where the page is wider than its screen. (Boxes in the content may scroll; what the content lies in may not.)
function overflow() {
  const frames = [document.documentElement, ...upwards(document.querySelector('main'))];
  const frame = frames.find(at => at.scrollWidth > at.clientWidth + 1 && getComputedStyle(at).display !== 'inline');
  if (!frame) {
    return null;
  }
  const edge = frame.getBoundingClientRect().left + frame.clientLeft + frame.clientWidth + 1;
  const scrolls = at => !frames.includes(at) && at !== document.body && getComputedStyle(at).overflowX !== 'visible';
  const isCut = element => [...upwards(element.parentElement)].some(scrolls);
  const sticksOut = element => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const right = Math.max(element.getBoundingClientRect().right, range.getBoundingClientRect().right);
    return right > edge && !isCut(element);
  };
  const wide = [...frame.querySelectorAll('*')].filter(sticksOut);
  const innermost = wide.filter(element => !wide.some(other => other !== element && element.contains(other)));
  return { width: frame.scrollWidth, room: frame.clientWidth, elements: innermost.slice(0, 3).map(describe) };
}

// What moved while the page was loading, though nobody touched it.
const shifts = () =>
  new Promise(resolve => {
    const all = [];
    const observer = new PerformanceObserver(list => all.push(...list.getEntries()));
    observer.observe({ type: 'layout-shift', buffered: true });
    // What was recorded before comes a turn later.
    setTimeout(() => {
      const entries = all.filter(entry => !entry.hadRecentInput);
      const moved = entries.flatMap(entry => entry.sources.map(source => source.node));
      const elements = moved.map(node => (node?.nodeType === Node.TEXT_NODE ? node.parentElement : node)).filter(Boolean);
      resolve({
        shift: entries.reduce((sum, entry) => sum + entry.value, 0),
        shifted: [...new Set(elements)].slice(0, 3).map(describe),
      });
    }, 50);
  });

// When the page is as it stays: its scripts run after the first paint. One with a broken script never gets
// there, and is looked at all the same.
const settled = () =>
  new Promise(resolve => {
    const wait = turns => {
      if (turns === 0 || 'ready' in document.documentElement.dataset) {
        resolve();
      } else {
        setTimeout(wait, 10, turns - 1);
      }
    };
    wait(200);
  });

async function look() {
  await settled();
  const moved = await shifts();
  // Pictures that would load when they are scrolled to, too; a broken one is told by the request for it.
  const pictures = [...document.images];
  pictures.filter(picture => picture.loading === 'lazy').forEach(picture => { picture.loading = 'eager'; });
  await Promise.allSettled(pictures.map(picture => picture.decode()));
  await document.fonts.ready;
  return { ...moved, violations: await violations(), wordless: wordless(), overflow: overflow() };
}

look().then(done, error => done({ failed: String(error?.stack ?? error) }));
