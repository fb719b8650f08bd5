// What a page can do beyond being read: copy and run programs, color code, choose the colors.
(() => {
  'use strict';

  const PLAYGROUND = 'https://play.rust-lang.org';

  // --- Colors ---------------------------------------------------------------------------------------

  const colors = document.getElementById('colors');
  colors.value = document.documentElement.dataset.colors;
  colors.addEventListener('change', () => {
    document.documentElement.dataset.colors = colors.value;
    try {
      localStorage.setItem('colors', colors.value);
    } catch {
      // No storage: the choice holds for this page.
    }
  });

  const color = (code) => {
    // The hidden lines keep their marks: each piece is colored on its own.
    const language = code.classList.contains('language-rust') ? 'rust' : 'ini';
    for (const piece of [...code.childNodes]) {
      const colored = hljs.highlight(piece.textContent, { language, ignoreIllegals: true }).value;
      if (piece.nodeType === Node.TEXT_NODE) {
        const holder = document.createElement('span');
        holder.innerHTML = colored;
        piece.replaceWith(...holder.childNodes);
      } else {
        piece.innerHTML = colored;
      }
    }
  };

  // After the first paint, and each block when it comes near: a page can have thirty.
  const waiting = new Set(document.querySelectorAll('code.language-rust, code.language-toml'));
  const colorOnce = (code) => {
    if (waiting.delete(code)) {
      color(code);
    }
  };
  const near = new IntersectionObserver(
    (entries) => {
      entries.filter((entry) => entry.isIntersecting).forEach((entry) => colorOnce(entry.target));
    },
    { rootMargin: '1000px' },
  );
  waiting.forEach((code) => near.observe(code));
  addEventListener('beforeprint', () => waiting.forEach(colorOnce));

  // --- Boxes that scroll sideways -------------------------------------------------------------------

  // They can be reached, and so scrolled, with the keyboard in every browser.
  const mark = () => {
    for (const box of document.querySelectorAll('main pre > code, main .table-wrapper')) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute('tabindex');
      }
    }
  };
  mark();
  addEventListener('resize', mark);

  // --- Programs -------------------------------------------------------------------------------------

  // Of a long program, a page has the whole text in one figure at most.
  const wholeOf = (figure) =>
    'excerpt' in figure.dataset
      ? document.querySelector(`figure.listing[data-listing="${figure.dataset.listing}"]:not([data-excerpt])`)
      : figure;

  const programOf = (figure) => wholeOf(figure).querySelector('pre > code').textContent;

  const shownPartOf = (figure) => {
    const code = figure.querySelector('pre > code').cloneNode(true);
    code.querySelectorAll('.boring').forEach((line) => line.remove());
    return code.textContent;
  };

  const copy = async (button, text) => {
    const label = button.dataset.label ?? button.textContent;
    button.dataset.label = label;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'The browser blocked copying';
    }
    setTimeout(() => {
      button.textContent = label;
    }, 2000);
  };

  const button = (label, title, press) => {
    const element = document.createElement('button');
    element.type = 'button';
    element.textContent = label;
    element.title = title;
    element.addEventListener('click', () => press(element));
    return element;
  };

  const say = (place, words, output) => {
    const line = document.createElement('p');
    line.textContent = words;
    place.replaceChildren(line);
    if (output) {
      const code = document.createElement('code');
      code.textContent = output;
      const box = document.createElement('pre');
      box.append(code);
      place.append(box);
    }
  };

  // Shows what the page knows first, then asks the Playground.
  const run = async (figure, pressed) => {
    figure.querySelectorAll('.ran').forEach((old) => old.remove());
    const verified = document.createElement('div');
    const answer = document.createElement('div');
    const ran = document.createElement('div');
    ran.className = 'ran';
    ran.setAttribute('role', 'status');
    ran.append(verified, answer);
    figure.append(ran);
    const name = figure.dataset.listing.split('/')[1];
    const output = document.querySelector(`#output-${name} pre > code`)?.textContent;
    if (output) {
      say(verified, 'Output when this book was verified:', output);
    }
    say(answer, `Running the whole program on the Rust Playground (${PLAYGROUND})…`);
    pressed.disabled = true;
    try {
      const response = await fetch(`${PLAYGROUND}/execute`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({
          channel: 'stable',
          mode: 'debug',
          edition: '2024',
          crateType: 'bin',
          tests: false,
          backtrace: false,
          code: programOf(figure),
        }),
      });
      if (!response.ok) {
        throw new Error(`status ${response.status}`);
      }
      const { success, stdout, stderr } = await response.json();
      if (success) {
        say(answer, 'Output from the Rust Playground:', stdout);
      } else {
        say(answer, 'The Rust Playground couldn’t run this program. It may lack a crate:', stderr || stdout);
      }
    } catch (error) {
      say(answer, `The Rust Playground can’t be reached (${error.message}). Run the program on your machine: cargo run --bin ${name}`);
    }
    pressed.disabled = false;
  };

  for (const figure of document.querySelectorAll('figure:is(.listing, .manifest)')) {
    const tools = figure.querySelector('.tools');
    const whole = wholeOf(figure);
    if (whole) {
      tools.append(button('Copy', 'Copy the whole program, including hidden lines', (it) => copy(it, programOf(figure))));
    }
    if (whole !== figure || figure.querySelector('.boring')) {
      tools.append(button('Copy part', 'Copy only the lines that are shown', (it) => copy(it, shownPartOf(figure))));
    }
    const command = figure.querySelector('code.command');
    if (command) {
      const press = button(command.textContent, 'Copy this command', (it) => copy(it, command.textContent));
      press.className = 'command';
      command.replaceWith(press);
      // The Playground's Tokio is built without its unstable parts.
      if (whole && !('unstable' in figure.dataset)) {
        tools.append(button('Run', 'Send the whole program to the Rust Playground and run it there', (it) => run(figure, it)));
      }
    }
  }

  // --- What only some pages need --------------------------------------------------------------------

  const load = (file) =>
    new Promise((done) => {
      const script = document.createElement('script');
      script.src = path_to_root + file;
      script.onload = done;
      script.onerror = done;
      document.head.append(script);
    });
  const needed = [
    document.querySelector('figure.timeline') && ['timeline.js'],
    document.getElementById('search-index') && ['minisearch.js', 'search.js', 'find.js'],
  ].filter(Boolean);
  const inOrder = async (files) => {
    for (const file of files) {
      await load(file);
    }
  };
  // The tests in a browser wait until the page no longer changes.
  Promise.all(needed.map(inOrder)).then(() => {
    document.documentElement.dataset.ready = '';
  });

  // The search box works as soon as it's used. (On the page "Find" its script is there already.)
  const query = document.getElementById('query');
  if (!document.getElementById('search-index')) {
    query.addEventListener('focus', () => load('find.js'), { once: true });
  }

  // --- Keys -----------------------------------------------------------------------------------------

  // With a modifier: who speaks to the machine, or hits keys by accident, would set off a bare letter.
  addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === 'k') {
      event.preventDefault();
      query.focus();
      query.select();
    }
  });
})();
