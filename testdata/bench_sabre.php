<?php
// What Baïkal and Nextcloud are made of, for the benchmark: a server for
// `php -S`, or on the command line: fill the database that SABRE_DATABASE names
// with the files of folders, calendars (*.ics) or address books (*.vcf).
date_default_timezone_set('UTC');
error_reporting(E_ALL & ~E_DEPRECATED);
require_once 'Sabre/autoload.php';
$pdo = new \PDO('sqlite:' . getenv('SABRE_DATABASE'));
$pdo->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$calendars = new \Sabre\CalDAV\Backend\PDO($pdo);
$books = new \Sabre\CardDAV\Backend\PDO($pdo);
if (PHP_SAPI === 'cli') {
	foreach (['addressbooks', 'calendars', 'principals', 'users'] as $table)
		$pdo->exec(file_get_contents('/usr/share/doc/php-sabre-dav/examples/sql/sqlite.' . $table . '.sql'));
	$pdo->beginTransaction();
	foreach (array_slice($argv, 1) as $folder) {
		$name = basename($folder);
		$cards = glob("$folder/*.vcf");
		$id = $cards ? $books->createAddressBook('principals/admin', $name, []) : $calendars->createCalendar('principals/admin', $name, []);
		foreach (glob("$folder/*.ics") as $file)
			$calendars->createCalendarObject($id, basename($file), file_get_contents($file));
		foreach ($cards as $file)
			$books->createCard($id, basename($file), file_get_contents($file));
	}
	$pdo->commit();
	exit(0);
}
$principals = new \Sabre\DAVACL\PrincipalBackend\PDO($pdo);
$server = new \Sabre\DAV\Server([
	new \Sabre\CalDAV\Principal\Collection($principals),
	new \Sabre\CalDAV\CalendarRootNode($principals, $calendars),
	new \Sabre\CardDAV\AddressBookRoot($principals, $books),
]);
$server->setBaseUri('/');
$server->addPlugin(new \Sabre\DAV\Auth\Plugin(new class extends \Sabre\DAV\Auth\Backend\AbstractBasic {
	protected function validateUserPass($user, $password) {
		return $user === 'admin' && $password === 'admin';
	}
}, 'SabreDAV'));
$server->addPlugin(new \Sabre\CalDAV\Plugin());
$server->addPlugin(new \Sabre\CardDAV\Plugin());
$server->addPlugin(new \Sabre\DAVACL\Plugin());
if (class_exists('Sabre\DAV\Sync\Plugin')) // not in Debian's
	$server->addPlugin(new \Sabre\DAV\Sync\Plugin());
$server->exec();
